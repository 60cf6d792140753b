"""How a wrong value is shown to the person who wrote it: short, printable, whatever it is."""

import re
from typing import Any

SHOWN = 60
"""Characters of a wrong value that a message repeats."""

TEXT_LIMIT = 1024
"""Characters of a model, an image or a path; longer than any real one, short enough for a condition."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
SEMVER = re.compile(r"(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})", re.ASCII)
_PRINTABLE_WORD = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]+")


def show(value: Any) -> str:  # noqa: ANN401 -- anything at all can stand where a field was expected
    """*value* in at most SHOWN characters, safe to print and to store."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN:
        return "a number of more than 60 digits"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def is_word(text: str) -> bool:
    """One argument of a command line: no blanks or control characters, no leading dash that reads as a flag."""
    return len(text) <= TEXT_LIMIT and not text.startswith("-") and _PRINTABLE_WORD.fullmatch(text) is not None
