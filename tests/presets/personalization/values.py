"""Makes the secrets of a corpus from pieces and a fixed seed, so that no file of the
repository holds anything that looks like a live credential."""
import base64
import json
import random
import string

ALNUM = string.ascii_letters + string.digits


def _pick(rng, alphabet, count):
    return "".join(rng.choice(alphabet) for _ in range(count))


def _pem(rng, kind):
    body = base64.b64encode(bytes(rng.randrange(256) for _ in range(420))).decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    dashes = "-" * 5
    return "\n".join([f"{dashes}BEGIN {kind}PRIVATE KEY{dashes}", *lines, f"{dashes}END {kind}PRIVATE KEY{dashes}"])


def _jwt(rng):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return ".".join([part({"alg": "HS256", "typ": "JWT"}), part({"sub": _pick(rng, ALNUM, 10), "iat": 1700000000}),
                     _pick(rng, ALNUM, 43)])


def tidepool():
    rng = random.Random(20240611)
    hexa = "0123456789abcdef"
    return {
        "S01": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S02": _pick(rng, ALNUM + "+/", 40),
        "S03": "gh" + "p_" + _pick(rng, ALNUM, 36),
        "S04": "sk" + "-proj-" + _pick(rng, ALNUM, 48),
        "S05": "xo" + "xb-" + _pick(rng, string.digits, 12) + "-" + _pick(rng, ALNUM, 24),
        "S06": "T" + _pick(rng, string.ascii_uppercase, 8) + "/B" + _pick(rng, string.ascii_uppercase, 8) + "/"
               + _pick(rng, ALNUM, 24),
        "S07": _jwt(rng),
        "S08": _pem(rng, "RSA "),
        "S09": "Tern-Gull-" + "42!",
        "S10": "postgres://" + "tide:" + _pick(rng, ALNUM, 14) + "@db.harbourlabs.io/tide",
        "S11": "sk" + "_live_" + _pick(rng, ALNUM, 24),
        "S12": "AI" + "za" + _pick(rng, ALNUM + "_", 35),
        "S13": "np" + "m_" + _pick(rng, ALNUM, 36),
        "S14": _pick(rng, ALNUM, 32),
        "S15": _pick(rng, hexa, 32),
        "S16": _pick(rng, ALNUM, 12),
        "S17": "correct gannet" + " battery tide",
        "S18": "83" + "16",
        "S19": _pick(rng, hexa, 40),
        "S20": _pick(rng, string.ascii_uppercase + "234567", 16),
    }


def ravna():
    rng = random.Random(20240830)
    hexa = "0123456789abcdef"
    return {
        "S01": "gl" + "pat-" + _pick(rng, ALNUM + "_-", 20),
        "S02": "mate" + "amargo",
        "S03": "postgres://" + "demo:" + _pick(rng, ALNUM, 10) + "@10.8.0.5/demo",
        "S04": _jwt(rng),
        "S05": "rv_" + "live_" + _pick(rng, ALNUM, 30),
        "S06": "rambla" + "Sur_7",
        "S07": "https://" + _pick(rng, hexa, 32) + "@o1.ingest.sentry.io/42",
        "S08": "Wien" + "Mozart#9",
        "S09": _pem(rng, "OPENSSH "),
        "S10": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S11": _pick(rng, ALNUM + "+/", 40),
        "S12": "gl" + "sa_" + _pick(rng, ALNUM, 32) + "_" + _pick(rng, hexa, 8),
        "S13": "u+" + _pick(rng, ALNUM, 20),
        "S14": "np" + "m_" + _pick(rng, ALNUM, 36),
        "S15": "py" + "pi-AgEIcHlwaS5vcmc" + _pick(rng, ALNUM, 100),
        "S16": _pick(rng, string.digits, 10) + ":AA" + _pick(rng, ALNUM, 33),
        "S17": _pick(rng, ALNUM, 14),
        "S18": "siete " + "vacas " + "verdes",
        "S19": "AGE-" + "SECRET-KEY-1" + _pick(rng, string.ascii_uppercase + string.digits, 58),
        "S20": _pick(rng, string.digits, 18) + "/" + _pick(rng, ALNUM + "_-", 68),
    }


def cobalt():
    rng = random.Random(20240817)
    hexa = "0123456789abcdef"
    return {
        "S01": "Cobalt" + "#Blue_" + _pick(rng, ALNUM, 6),
        "S02": "cb_" + "stg_" + _pick(rng, ALNUM, 28),
        "S03": "T" + _pick(rng, string.ascii_uppercase, 8) + "/B" + _pick(rng, string.ascii_uppercase, 8) + "/" + _pick(rng, ALNUM, 24),
        "S04": "harvest" + "moon22",
        "S05": "hv" + "s." + _pick(rng, ALNUM, 90),
        "S06": "glass " + "onions " + "sing " + "loudly",
        "S07": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S08": _pick(rng, ALNUM + "+/", 40),
        "S09": "sk" + "_live_" + _pick(rng, ALNUM, 24),
        "S10": "gh" + "p_" + _pick(rng, ALNUM, 36),
        "S11": "tide" + "pool99",
        "S12": _jwt(rng),
        "S13": "SG." + _pick(rng, ALNUM, 22) + "." + _pick(rng, ALNUM, 43),
        "S14": "sk" + "-proj-" + _pick(rng, ALNUM, 48),
        "S15": "mongodb+srv://" + "root:" + _pick(rng, ALNUM, 12) + "@c0.mongodb.net/prod",
        "S16": _pem(rng, "RSA "),
        "S17": "xo" + "xb-" + _pick(rng, string.digits, 12) + "-" + _pick(rng, ALNUM, 24),
        "S18": _pick(rng, hexa, 32),
        "S19": _pick(rng, ALNUM, 32),
        "S20": "-".join(_pick(rng, string.ascii_lowercase + string.digits, 4) for _ in range(4)),
    }


def secrets(corpus):
    return globals()[corpus]()
