import requests

TIMEOUT = 10


def status(base):
    return requests.get(base + "/status", timeout=TIMEOUT).json()
