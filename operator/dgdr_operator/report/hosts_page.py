"""The part of the page about accuracy that tells what the host adds to a step, and how that was chosen; in Markdown."""

from collections.abc import Iterator
from textwrap import wrap

from dgdr_operator.report.accuracy import WORDS
from perf_db.hosts import Constant, Fit, Hosts

_WIDTH = 120
_MICRO = 1e-4
"""Seconds below which microseconds read better."""


def section(hosts: Hosts | None) -> Iterator[str]:
    """Constants and scores of every engine; nothing where none were fitted."""
    if hosts is None:
        return
    yield "## Constants of the host"
    yield ""
    yield from wrap(hosts.method, _WIDTH)
    yield ""
    yield f"Fitted on {hosts.date} to {hosts.source}"
    yield f"(SHA-256 `{hosts.sha256[:12]}`)."
    yield ""
    yield "| engine | constant | prior | fitted | 90 % interval | bounds | used |"
    yield "|---|---|---|---|---|---|---|"
    for backend, fit in hosts.engines.items():
        for name, constant in fit.constants.items():
            yield f"| {backend} | {name} | {_row(constant, kept=fit.kept)} |"
    yield ""
    yield "Mean loss, by what was left out while fitting:"
    yield ""
    names = list(next(iter(hosts.engines.values())).scores["fitted"]) if hosts.engines else []
    yield f"| engine | constants | {' | '.join(names)} | rows | groups |"
    yield f"|{'---|' * (len(names) + 4)}"
    for backend, fit in hosts.engines.items():
        for which in ("prior", "fitted"):
            yield f"| {backend} | {which} | {_scores(fit, which, names)} | {fit.rows} | {fit.groups} |"
    yield ""
    yield from _errors(hosts, names)
    if any(not fit.kept for fit in hosts.engines.values()):
        yield "Where the prior is used nothing is fitted, so that the errors above are also those of groups, models and"
        yield "systems that were left out."
        yield ""


def _errors(hosts: Hosts, names: list[str]) -> Iterator[str]:
    """Errors of the constants that are used, by what was left out while fitting them, where that was stored."""
    if not all(fit.errors for fit in hosts.engines.values()):
        return
    yield "Mean / median size of the error in %, with the constants that are used, by what was left out while fitting:"
    yield ""
    yield f"| engine | metric | {' | '.join(names)} |"
    yield f"|{'---|' * (len(names) + 2)}"
    for backend, fit in hosts.engines.items():
        used = fit.errors["fitted" if fit.kept else "prior"]
        for metric in used[names[0]]:
            cells = (" / ".join(f"{100 * one:.1f}" for one in used[name][metric]) for name in names)
            yield f"| {backend} | {WORDS[metric]} | {' | '.join(cells)} |"
    yield ""


def _row(one: Constant, *, kept: bool) -> str:
    used = "fitted" if kept else "prior"
    return (
        f"{_short(one.prior)} | {_short(one.value)} | {_short(one.low)} to {_short(one.high)} | "
        f"{_short(one.least)} to {_short(one.most)} | {used}"
    )


def _scores(fit: Fit, which: str, names: list[str]) -> str:
    return " | ".join(f"{fit.scores[which][name]:.4f}" for name in names)


def _short(seconds: float) -> str:
    """In milliseconds, or microseconds where that is shorter."""
    return f"{1e3 * seconds:.3g} ms" if seconds == 0 or seconds >= _MICRO else f"{1e6 * seconds:.3g} us"
