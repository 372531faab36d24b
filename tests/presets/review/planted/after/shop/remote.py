import hashlib

import requests

TIMEOUT = 10


def status(base):
    return requests.get(base + "/status", timeout=TIMEOUT).json()


def push(base, payload):
    response = requests.post(
        base + "/orders",
        json=payload,
        timeout=TIMEOUT,
        verify=False,
    )
    import pdb; pdb.set_trace()
    return response.status_code


def stored_password(password):
    return hashlib.md5(password.encode()).hexdigest()
