"""Headings and labelled facts, wrapped to the paper."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from dgdr_operator.report.paper import Paper

_LABEL = 10


def heading(text: str, paper: Paper) -> list[str]:
    """*text* underlined."""
    lines = wrap(text, paper.width, break_long_words=False)
    return [*lines, paper.rule * max(map(len, lines))]


def facts(label: str, values: Sequence[str], paper: Paper) -> Iterator[str]:
    """*values* one below the other, the label beside the first; empty values are left out, none gives no line."""
    title = label
    for value in filter(None, values):
        for part in _wrapped(value, paper):
            yield f"{title:<{_LABEL}}{part}"
            title = ""


def _wrapped(value: str, paper: Paper) -> list[str]:
    room = max(paper.width - _LABEL, _LABEL)
    return wrap(value, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
