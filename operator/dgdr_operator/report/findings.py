"""What an examination found, and how it is told: one line for what was seen, one for what to change."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Literal

from dgdr_operator.report.paper import Paper

Level = Literal["ok", "warn", "fail"]
LEVELS: tuple[Level, ...] = ("fail", "warn", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    subject: what it is about (RDMA, shared memory, ...); where: the pod, node or object, "" for all of it;
    seen: the evidence; advice: what to change, "" when nothing.
    """

    level: Level
    subject: str
    where: str
    seen: str
    advice: str = ""


def ok(subject: str, where: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(level="ok", subject=subject, where=where, seen=seen)


def warn(subject: str, where: str, seen: str, advice: str) -> Finding:
    """Worth a look."""
    return Finding(level="warn", subject=subject, where=where, seen=seen, advice=advice)


def fail(subject: str, where: str, seen: str, advice: str) -> Finding:
    """It does not work like this."""
    return Finding(level="fail", subject=subject, where=where, seen=seen, advice=advice)


def worst(found: Sequence[Finding]) -> Level:
    """The gravest level among *found*."""
    return next((level for level in LEVELS if any(one.level == level for one in found)), "ok")


def page(found: Sequence[Finding], paper: Paper) -> str:
    """The findings as text, the gravest first, equal ones of several places together."""
    lines: list[str] = []
    for level in LEVELS:
        for one, places in _together([finding for finding in found if finding.level == level]):
            lines += _told(one, places, paper)
    counts = ", ".join(f"{sum(one.level == level for one in found)} {level}" for level in LEVELS)
    return "\n".join([*lines, "", counts]) + "\n"


def record(found: Sequence[Finding]) -> str:
    """The findings as JSON."""
    return json.dumps({"worst": worst(found), "findings": [asdict(one) for one in found]}, indent=2) + "\n"


def _together(found: Sequence[Finding]) -> Iterator[tuple[Finding, list[str]]]:
    groups: dict[tuple[str, str, str], tuple[Finding, list[str]]] = {}
    for one in found:
        groups.setdefault((one.subject, one.seen, one.advice), (one, []))[1].append(one.where)
    yield from groups.values()


def _told(one: Finding, places: Sequence[str], paper: Paper) -> Iterator[str]:
    where = ", ".join(place for place in places if place)
    text = f"{one.subject}: {where}: {one.seen}" if where else f"{one.subject}: {one.seen}"
    room = max(paper.width - 6, 20)
    first, *rest = wrap(text, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    yield f"{one.level:<6}{first}"
    yield from (f"      {line}" for line in rest)
    if one.advice:
        arrow = "→ " if paper.unicode else "-> "
        for line in wrap(arrow + one.advice, room, subsequent_indent="  ", break_on_hyphens=False):
            yield f"      {line}"
