"""The page that says how good predictions are, where they are worse than others', and how sure that is."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from dgdr_operator.report import hosts_page, residuals
from dgdr_operator.report.accuracy import WORDS
from perf_db.accuracy import Accuracy, Errors
from perf_db.hosts import Hosts

# AIConfigurator 0.12.0 on the same rows, dtypes as deployed: mean and median of the absolute relative error, in %, as
# published for them; repaired: with its broken GEMM table corrected.
_BASELINES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "AIConfigurator 0.12.0": {"itl": (27.9, 14.2), "ttft": (47.9, 43.6)},
    "AIConfigurator 0.12.0, its GEMM table repaired": {"itl": (19.6, 12.8), "ttft": (47.0, 43.1)},
}
_WORSE_BY = ("all", "backend", "system", "backend x system x model")
_WIDTH = 120
_FEWEST = 5
"""Rows below which a group says little about the model it names."""


def page(stored: Accuracy, hosts: Hosts | None = None) -> str:
    """The whole page, in Markdown; *hosts*: what was fitted, None for nothing."""
    parts = (
        _head(stored),
        _beside(stored),
        _where_worse(stored),
        _groups(stored),
        residuals.sections(stored),
        _choices(stored),
        _intervals(stored),
        hosts_page.section(hosts),
        _reading(stored),
    )
    return "\n".join(line for part in parts for line in part)


def _head(stored: Accuracy) -> Iterator[str]:
    counts = stored.counts
    yield "# How good the predictions are"
    yield ""
    yield "Written by `dgdr calibrate --page` from `perf_db/packs/accuracy.json`; do not edit."
    yield ""
    yield f"Measured runs: {stored.source}"
    yield f"(SHA-256 `{stored.sha256[:12]}`), read on {stored.date} with measurements `{stored.measurements}`."
    yield ""
    yield f"- {counts['predicted']} of {counts['rows']} rows are predicted and {counts['scored']} scored."
    yield f"- {counts['defect']} rows carry a defect and are not scored."
    yield f"- {counts['impossible']} scored rows are impossible as labelled: their prompts alone imply more arithmetic"
    yield f"  than the peak of their GPUs. {counts['hardly possible']} more imply over half of it. Errors are given"
    yield "  with and without them; the intervals below are learned without the impossible ones."
    yield ""


def _beside(stored: Accuracy) -> Iterator[str]:
    yield "## Beside others"
    yield ""
    yield "Mean / median of the absolute error in % of the measured value, over all scored rows."
    yield "The others' figures are those published for these rows."
    yield ""
    yield "| | TPOT | TTFT |"
    yield "|---|---|---|"
    for name, found in _BASELINES.items():
        yield f"| {name} | {' | '.join(f'{mean:.1f} / {median:.1f}' for mean, median in found.values())} |"
    for group, metrics in stored.errors["all"].items():
        cells = [
            f"{_percent(metrics[metric]['mean'])} / {_percent(metrics[metric]['median'])}" for metric in ("itl", "ttft")
        ]
        yield f"| this project, {group} | {' | '.join(cells)} |"
    yield ""


def _where_worse(stored: Accuracy) -> Iterator[str]:
    """Every group whose mean or median is above what AIConfigurator, repaired, reaches over all rows."""
    limits = _BASELINES["AIConfigurator 0.12.0, its GEMM table repaired"]
    yield "## Where we are worse"
    yield ""
    yield "Groups whose mean or median error is above what AIConfigurator, repaired, reaches over all rows: other rows,"
    yield "but the places where a prediction deserves no more trust than that. Mean / median (rows)."
    for metric, limit in limits.items():
        yield from ("", f"### {WORDS[metric]}", "")
        for grouping in _WORSE_BY:
            groups = stored.errors.get(grouping, {})
            yield from (line for group, found in groups.items() if (line := _worse(group, found.get(metric), limit)))
    yield ""


def _worse(group: str, found: Mapping[str, Any] | None, limit: tuple[float, float]) -> str:
    if found is None or (100 * found["mean"] <= limit[0] and 100 * found["median"] <= limit[1]):
        return ""
    few = ", too few to say much" if found["n"] < _FEWEST else ""
    return f"- {group}: {_percent(found['mean'])} / {_percent(found['median'])} ({found['n']}{few})"


def _groups(stored: Accuracy) -> Iterator[str]:
    yield "## Errors by group"
    yield ""
    yield "In % of the measured value; bias is the signed median, above zero where predictions are too high."
    yield "In parentheses: 90 % intervals drawn over groups (model, system), where there are three or more."
    for grouping, groups in stored.errors.items():
        yield ""
        yield from _table(grouping, groups)
    yield ""


def _table(grouping: str, groups: Errors) -> Iterator[str]:
    yield f"| {grouping} | n | TPOT mean | median | p90 | bias | TTFT mean | median | p90 | bias |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for group, metrics in groups.items():
        found = [metrics.get("itl"), metrics.get("ttft")]
        count = max((one["n"] for one in found if one), default=0)
        yield f"| {group} | {count} | {' | '.join(cell for one in found for cell in _cells(one))} |"


def _cells(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return ["-"] * 4
    mean, median = (_with_ends(found, field) for field in ("mean", "median"))
    return [mean, median, _percent(found["p90"]), f"{100 * found['bias']:+.1f}"]


def _with_ends(found: Mapping[str, Any], field: str) -> str:
    ends: Sequence[float] | None = found.get(f"{field}_90")
    return _percent(found[field]) + (f" ({_percent(ends[0])} to {_percent(ends[1])})" if ends else "")


def _choices(stored: Accuracy) -> Iterator[str]:
    yield "## Choices"
    yield ""
    yield "Output lost by choosing by prediction, in %. Within each (model, system, engine, input, output tokens), at"
    yield "every time between tokens that was measured there, the configuration of the highest predicted output per GPU"
    yield "is picked, and what was measured for it at that time (straight between its loads) is compared with the best"
    yield "that was measured. A pick that was never measured to be that fast loses everything. Every group counts once;"
    yield "chance is the mean over all configurations that were measured to be that fast."
    yield ""
    yield "| engine | mean | median | p90 | by chance | best picked | never so fast | groups | configurations | picks |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, found in stored.regret.items():
        shares = [_percent(found[field]) for field in ("mean", "median", "p90", "blind", "right")]
        counts = [str(found[field]) for field in ("missed", "groups", "configurations", "levels")]
        yield f"| {name} | {' | '.join(shares + counts)} |"
    yield ""
    yield "The questions that lose most:"
    yield ""
    yield "| model, system, engine, input/output tokens | lost | by chance | configurations | picks |"
    yield "|---|---|---|---|---|"
    for loss in stored.regret.get("all", {}).get("most", ()):
        shares = [_percent(loss[field]) for field in ("lost", "blind")]
        yield f"| {loss['question']} | {' | '.join(shares)} | {loss['configurations']} | {loss['levels']} |"
    yield ""


def _intervals(stored: Accuracy) -> Iterator[str]:
    yield "## 90 % intervals"
    yield ""
    yield "Nine times in ten, a measured value lies between these multiples of its prediction. Coverage, in %: rows"
    yield "inside an interval that was learned without their model on their system, without their model, and without"
    yield "their system."
    yield ""
    yield "| engine | metric | low | high | rows | groups | group left out | model left out | system left out |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for backend, bands in stored.bands.items():
        for metric, band in bands.items():
            left_out = (band.coverage, band.without_model, band.without_system)
            numbers = [f"{band.low:.2f}", f"{band.high:.2f}", str(band.rows), str(band.groups)]
            numbers += ["-" if share is None else _percent(share) for share in left_out]
            yield f"| {backend} | {WORDS[metric]} | {' | '.join(numbers)} |"
    yield ""
    yield "Where more than a fifth of the step time rests on weaker evidence, the powers of both ends are larger by"
    rows = stored.counts["doubtful"]
    yield f"these factors: transferred, from the {rows} rows that rest on it; formula, from all rows"
    yield "predicted as if nothing had been measured. 1 says that such rows were not further off than others."
    yield ""
    yield "| evidence | TPOT | TTFT | tokens/s |"
    yield "|---|---|---|---|"
    for evidence, factors in stored.wider.items():
        yield f"| {evidence} | {' | '.join(f'{factors.get(metric, 1.0):.2f}' for metric in WORDS)} |"
    yield ""


def _reading(stored: Accuracy) -> Iterator[str]:
    yield "## How it was done"
    yield ""
    yield from wrap(stored.method, _WIDTH)
    yield ""
    yield "Measured tokens per second are those of a closed loop: clients times output tokens over a request's time."
    yield "No split of these rows is blind: the rules of the estimator were written with them in sight."
    yield "Where it matters, measure anew and compare with `dgdr validate`."
    yield ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
