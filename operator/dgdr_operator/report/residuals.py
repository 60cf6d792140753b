"""The mean error taken apart: what every group, and the worst single runs, contribute to it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dgdr_operator.report.accuracy import METRICS, WORDS, Metric, Pair
from perf_db.accuracy import Accuracy, Errors

_GROUPINGS = ("backend", "system", "model", "load")
_SHOWN: tuple[Metric, ...] = ("itl", "ttft")
_WORST = 10


def contributions(groups: Errors, metric: Metric) -> dict[str, float]:
    """Group -> its part of the mean error over all runs, shares of the measured value; they sum up to that mean."""
    found = {group: metrics[metric] for group, metrics in groups.items() if metric in metrics}
    rows = sum(one["n"] for one in found.values())
    return {group: one["n"] * one["mean"] / rows for group, one in found.items()}


def worst(pairs: Sequence[Pair]) -> dict[str, list[dict[str, Any]]]:
    """Metric -> the runs that contribute most to its mean error: which, how much, predicted and measured seconds."""
    return {metric: _worst(pairs, metric) for metric in METRICS}


def sections(stored: Accuracy) -> Iterator[str]:
    """The part of the page about accuracy that takes the mean errors apart, in Markdown."""
    yield "## What makes up the mean error"
    yield ""
    yield "Points of the mean error over all scored rows (in % of the measured value) that each group contributes: rows"
    yield "times their mean error over all rows, so that every column sums up to the mean."
    for grouping in _GROUPINGS:
        if grouping in stored.errors:
            yield from _groups(grouping, stored.errors[grouping])
    for metric in _SHOWN:
        yield from _single(metric, stored.worst.get(metric, ()))
    yield ""


def _groups(grouping: str, groups: Errors) -> Iterator[str]:
    parts = {metric: contributions(groups, metric) for metric in _SHOWN}
    yield ""
    yield f"| {grouping} | rows | TPOT, points | TTFT, points |"
    yield "|---|---|---|---|"
    for group in sorted(groups, key=lambda one: -parts["itl"].get(one, 0.0)):
        rows = max(one["n"] for one in groups[group].values())
        yield f"| {group.strip()} | {rows} | {' | '.join(_points(parts[metric].get(group)) for metric in _SHOWN)} |"
    sums = (_points(sum(parts[metric].values())) for metric in _SHOWN)
    yield f"| sum | {sum(max(one['n'] for one in found.values()) for found in groups.values())} | {' | '.join(sums)} |"


def _single(metric: Metric, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield ""
    points = _points(sum(row["share"] for row in rows))
    yield f"The {len(rows)} runs that contribute most to the mean error of {WORDS[metric]}: {points} points together."
    yield ""
    yield f"| run | what | predicted {WORDS[metric]}, ms | measured, ms | points |"
    yield "|---|---|---|---|---|"
    for row in rows:
        times = " | ".join(f"{1e3 * row[name]:.4g}" for name in ("predicted", "measured"))
        yield f"| {row['name'] or '-'} | {row['what']} | {times} | {_points(row['share'])} |"


def _worst(pairs: Sequence[Pair], metric: Metric) -> list[dict[str, Any]]:
    known = [(pair, both) for pair in pairs if (both := pair.of(metric)) is not None]
    known.sort(key=lambda one: -abs(one[1][0] / one[1][1] - 1))
    return [
        {
            "name": pair.name,
            "what": _what(pair),
            "predicted": predicted,
            "measured": measured,
            "share": abs(predicted / measured - 1) / len(known),
        }
        for pair, (predicted, measured) in known[:_WORST]
    ]


def _what(pair: Pair) -> str:
    setting = pair.setting
    return (
        f"{pair.model.rpartition('/')[2]}, {pair.system}, {pair.backend}, {setting.configuration}, "
        f"{setting.isl}/{setting.osl}, {setting.concurrency:g} in flight"
    )


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
