"""The secrets of a corpus. They are put together here, from pieces and a fixed seed, so that no file of the
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


def lumen():
    rng = random.Random(20240203)
    hexa = "0123456789abcdef"
    return {
        "S01": "gl" + "owworm7",
        "S02": "hf" + "_" + _pick(rng, string.ascii_letters, 34),
        "S03": "AS" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S04": _pick(rng, ALNUM + "+/", 40),
        "S05": _pick(rng, hexa, 40),
        "S06": _pick(rng, ALNUM, 26),
        "S07": "mysql://" + "ro:" + "spektrum9" + "@db.lumenlab.org/copy",
        "S08": "dckr" + "_pat_" + _pick(rng, ALNUM + "_-", 27),
        "S09": "bernstein" + "-und-rauch",
        "S10": _pick(rng, ALNUM, 20),
        "S11": _pick(rng, string.digits, 10) + ":AA" + _pick(rng, ALNUM, 33),
        "S12": "rk" + "_live_" + _pick(rng, ALNUM, 24),
        "S13": "pk." + "eyJ1Ijoi" + _pick(rng, ALNUM, 50),
        "S14": _pem(rng, "OPENSSH "),
        "S15": _pick(rng, ALNUM, 22),
        "S16": "PHPSESSID=" + _pick(rng, string.ascii_lowercase + string.digits, 26),
        "S17": "SG." + _pick(rng, ALNUM, 22) + "." + _pick(rng, ALNUM, 43),
        "S18": "-".join(_pick(rng, string.ascii_lowercase + string.digits, 5) for _ in range(3)),
        "S19": "py" + "pi-AgEIcHlwaS5vcmc" + _pick(rng, ALNUM, 120),
        "S20": "hv" + "s." + _pick(rng, ALNUM, 90),
    }


def secrets(corpus):
    return {"tidepool": tidepool, "lumen": lumen}[corpus]()
