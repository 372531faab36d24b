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


def kontor():
    rng = random.Random(20240311)
    hexa = "0123456789abcdef"
    return {
        "S01": "postgresql+asyncpg://" + "kontor:" + "Fr3ibeuter_" + _pick(rng, ALNUM, 6) + "@db-stage.kontor.internal/kontor",
        "S02": "kt_" + _pick(rng, hexa, 40),
        "S03": _pick(rng, ALNUM, 18),
        "S04": "Moin" + "Moin-2024",
        "S05": "ssh-deploy-" + _pick(rng, ALNUM, 28),
        "S06": "sommer" + "regen",
        "S07": "DefaultEndpointsProtocol=https;AccountName=kontorstage;AccountKey=" + _pick(rng, ALNUM + "+/", 86) + "==",
        "S08": "-".join(_pick(rng, string.ascii_uppercase + string.digits, 4) for _ in range(6)),
        "S09": "Wattwurm" + "!7",
        "S10": _pick(rng, string.ascii_uppercase + "234567", 32),
        "S11": _pem(rng, "EC "),
        "S12": _pick(rng, ALNUM, 48),
        "S13": _pick(rng, hexa, 32),
        "S14": "hafen" + "kran99",
        "S15": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S16": _pick(rng, ALNUM + "+/", 40),
        "S17": "SK" + _pick(rng, hexa, 32),
        "S18": "Post" + "schiff#12",
        "S19": "71" + "904",
        "S20": _jwt(rng),
    }


def orchard():
    rng = random.Random(20240502)
    hexa = "0123456789abcdef"
    return {
        "S01": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S02": _pick(rng, ALNUM + "+/", 40),
        "S03": "tulpen" + "veld_55",
        "S04": "fig" + "d_" + _pick(rng, ALNUM + "_-", 40),
        "S05": "zomer" + "avond",
        "S06": "sk" + "-ant-api03-" + _pick(rng, ALNUM + "_-", 80),
        "S07": "wh" + "sec_" + _pick(rng, ALNUM, 32),
        "S08": _pick(rng, ALNUM + "+/", 43) + "=",
        "S09": "u+" + _pick(rng, ALNUM, 18),
        "S10": "baguette" + "&beurre",
        "S11": "gl" + "pat-" + _pick(rng, ALNUM + "_-", 20),
        "S12": "amqps://" + "orchard:" + _pick(rng, ALNUM, 16) + "@orchard-mq-3.orchard-hq.dev:5671/prod",
        "S13": "vier " + "koeien " + "in " + "galop",
        "S14": "28" + "406",
        "S15": _pem(rng, "OPENSSH "),
        "S16": _pick(rng, hexa, 8) + "-" + _pick(rng, hexa, 4) + "-4" + _pick(rng, hexa, 3) + "-a" + _pick(rng, hexa, 3) + "-" + _pick(rng, hexa, 12),
        "S17": "pannen" + "koek",
        "S18": "GOC" + "SPX-" + _pick(rng, ALNUM + "_-", 28),
        "S19": "drop" + "salmiak",
        "S20": "Stroop" + "wafel-2023",
    }


def meridian():
    rng = random.Random(20240618)
    hexa = "0123456789abcdef"
    return {
        "S01": "gh" + "o_" + _pick(rng, ALNUM, 36),
        "S02": "Apnoe" + "taucher81",
        "S03": "AK" + "IA" + _pick(rng, string.ascii_uppercase + "234567", 16),
        "S04": _pick(rng, ALNUM + "+/", 40),
        "S05": "kaze" + "nagare",
        "S06": "meri" + "dian_dev",
        "S07": _jwt(rng),
        "S08": "-".join(_pick(rng, string.ascii_uppercase + string.digits, 5) for _ in range(5)),
        "S09": "T" + _pick(rng, string.ascii_uppercase, 8) + "/B" + _pick(rng, string.ascii_uppercase, 8) + "/" + _pick(rng, ALNUM, 24),
        "S10": "github" + "_pat_" + _pick(rng, ALNUM, 22) + "_" + _pick(rng, ALNUM, 40),
        "S11": "mongodb+srv://" + "etl:" + _pick(rng, ALNUM, 12) + "@cluster0.mongodb.net/prod",
        "S12": "zwölf" + "apfel9",
        "S13": "lagune" + " blau " + "sieben",
        "S14": _jwt(rng),
        "S15": "AI" + "za" + _pick(rng, ALNUM + "_", 35),
        "S16": "AC" + _pick(rng, hexa, 32),
        "S17": _pick(rng, hexa, 32),
        "S18": _pem(rng, ""),
        "S19": " ".join(_pick(rng, string.digits, 4) + "-" + _pick(rng, string.digits, 4) for _ in range(3)),
        "S20": _pick(rng, string.digits, 6),
    }


def halden():
    rng = random.Random(20240710)
    hexa = "0123456789abcdef"
    return {
        "S01": "zanzara" + ".blu",
        "S02": "sk" + "-ant-api03-" + _pick(rng, ALNUM, 60),
        "S03": "kafka" + "esque",
        "S04": "leihfrist" + "14tage",
        "S05": "panettone" + "!2023",
        "S06": "jdbc:postgresql://db.halden-desk.org/halden?user=halden&password=" + _pick(rng, ALNUM, 12),
        "S07": _pick(rng, ALNUM, 20),
        "S08": _jwt(rng),
        "S09": "sk" + "_live_" + _pick(rng, ALNUM, 24),
        "S10": "sv=2022-11-02&ss=b&srt=co&sp=rl&sig=" + _pick(rng, ALNUM, 40) + "%3D",
        "S11": "lesesaal" + " im " + "morgenlicht",
        "S12": "00" + _pick(rng, ALNUM + "_-", 40),
        "S13": _pem(rng, "RSA "),
        "S14": _pick(rng, ALNUM, 16),
        "S15": _pick(rng, hexa, 8) + "-" + _pick(rng, hexa, 4) + "-4" + _pick(rng, hexa, 3) + "-9" + _pick(rng, hexa, 3) + "-" + _pick(rng, hexa, 12),
        "S16": "59" + "2081",
        "S17": "rediss://" + ":" + _pick(rng, ALNUM, 24) + "@cache.halden-desk.org:6380",
        "S18": "SESSION=" + _pick(rng, ALNUM, 32),
        "S19": _pick(rng, hexa, 32),
        "S20": "bibliotheek" + "7",
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


def lantern():
    rng = random.Random(20240521)
    hexa = "0123456789abcdef"
    return {
        "S01": "tang" + "skog",
        "S02": "lf_" + "sandbox_" + _pick(rng, ALNUM, 24),
        "S03": "Havsul" + "-31",
        "S04": "pk." + "eyJ1Ijoi" + _pick(rng, ALNUM, 60),
        "S05": "AAAA" + _pick(rng, ALNUM, 7) + ":APA91b" + _pick(rng, ALNUM + "_-", 120),
        "S06": "django-insecure-" + _pick(rng, ALNUM + "!@#^&*(", 50),
        "S07": "blå" + "skjell " + "og " + "tare",
        "S08": _pem(rng, ""),
        "S09": "Kråke" + "bolle7",
        "S10": "wh" + "sec_" + _pick(rng, ALNUM, 32),
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
