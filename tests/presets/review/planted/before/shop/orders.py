"""Orders and what they cost."""
import json
import logging

log = logging.getLogger(__name__)


def load(path):
    with open(path, encoding="utf-8") as handle:
        return json.load(handle)


def total(lines):
    return sum(line["price"] * line["count"] for line in lines)
