"""`dgdr calibrate`: measured runs in; how far predictions were from them, and intervals for the next ones, out."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from dgdr_operator.cli import forecast, measurements, refit, trial
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.cli.trial import Records
from dgdr_operator.report import accuracy as report
from dgdr_operator.report import accuracy_document, artifacts, regret, residuals
from dgdr_operator.report.accuracy import METRICS, Metric, Pair
from estimator import intervals
from estimator.intervals import Residuals
from perf_db import accuracy, hosts
from perf_db.accuracy import Accuracy, Band
from perf_db.catalog import Catalog
from perf_db.hosts import Hosts

_PURPOSE = (
    "Learn from a CSV file of measured runs how far to believe predictions, and store that beside the measurements."
)
_EXAMPLES = """\
examples:
  dgdr calibrate --measurements runs.csv --source "nightly benchmark" --date 2026-11-21
  dgdr calibrate --measurements runs.csv --source "nightly benchmark" --date 2026-11-21 --fit
  dgdr calibrate --page > docs/accuracy.md

Without --fit nothing in the predictions changes: what is learned is how wrong they are. With it, at most four
constants per engine (what its host adds) are fitted within physical bounds, and used where they predict models,
systems and groups that were left out better than the priors. The file is the one that `dgdr validate` reads; rows
with a defect and rows that are impossible as labelled are counted and not learned from."""
_METHOD = (
    "Quantiles of measured over predicted per engine, over all rows; the tails are cut where leaving out each (model, "
    "system) in turn covers 90 % of rows, and coverage is counted with that choice left out too. Where more than "
    "a fifth of the step time is transferred or formula: wider by the ratio of the 90 % quantiles of the logarithms' "
    "sizes, at the upper end of what it could be over other groups; for formulas, with all rows predicted by them. "
    "Odds: pairs of both latencies' ratios, stretched to the ends of the intervals."
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("calibrate", description=_PURPOSE, epilog=_EXAMPLES)
    parser.add_argument("--measurements", metavar="FILE", type=Path, help="CSV file of measured runs")
    parser.add_argument("--source", metavar="TEXT", help="whose runs these are")
    parser.add_argument("--date", metavar="YYYY-MM-DD", type=_date, help="when this is done")
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to store it (beside the packs)")
    parser.add_argument("--fit", action="store_true", help="fit the engines' host constants first (a minute or two)")
    parser.add_argument("--page", action="store_true", help="print the page about what is stored, in Markdown")


def run(flags: argparse.Namespace) -> int:
    """Learn and store, or show what is stored."""
    catalog = Catalog()
    if flags.page:
        return _show(catalog)
    for name in ("measurements", "source", "date"):
        if getattr(flags, name) is None:
            raise UsageError(f"--{name} must be given (or --page, to show what is stored)")
    if flags.output is not None and not flags.output.parent.is_dir():
        raise UsageError(f"--output: there is no folder {flags.output.parent}")
    records = measurements.read(flags.measurements).records()
    lines = []
    if flags.fit:
        fitted = _fitted(records, catalog, flags)
        path = (flags.output.parent if flags.output else catalog.root) / hosts.FILE
        artifacts.replace(path, hosts.text(fitted))
        catalog = catalog.with_hosts({backend: fitted.values(backend) for backend in fitted.engines})
        lines = list(_constants(fitted))
    learned = _learned(records, catalog, flags)
    artifacts.replace(flags.output or catalog.root / accuracy.FILE, accuracy.text(learned))
    print("\n".join([*lines, _summary(learned)]))  # noqa: T201 - a command line speaks by printing
    return FEASIBLE


def _fitted(records: Records, catalog: Catalog, flags: argparse.Namespace) -> Hosts:
    return Hosts(
        source=flags.source,
        sha256=_digest(flags.measurements),
        date=flags.date,
        method=refit.METHOD,
        engines=refit.fits(records, catalog),
    )


def _constants(fitted: Hosts) -> Iterator[str]:
    for backend, fit in fitted.engines.items():
        values = ", ".join(f"{name} {1e3 * one.value:.4g} ms" for name, one in fit.constants.items())
        earned = "better than the priors where left out: used" if fit.kept else "no better where left out: priors stay"
        yield f"{backend}: {values}; {earned}"


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _show(catalog: Catalog) -> int:
    if catalog.accuracy is None:
        raise UsageError("nothing is stored yet: calibrate with --measurements first")
    sys.stdout.write(accuracy_document.page(catalog.accuracy, catalog.hosts))
    return FEASIBLE


def _date(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be a date like 2026-11-21, not {text!r}")
    return text


def _learned(records: Records, catalog: Catalog, flags: argparse.Namespace) -> Accuracy:
    forecaster = forecast.Forecaster(catalog)
    found = trial.forecasts(records, forecaster)
    pairs = trial.pairs(records, found, forecaster)
    if not pairs:
        raise UsageError(f"{flags.measurements}: no row that can be predicted has a measured time")
    kept, likely = report.possible(pairs), report.possible(pairs, report.IMPLAUSIBLE)
    bands = _bands(kept)
    counts = {
        "rows": len(records),
        "predicted": sum(not one.reason for one in found),
        "defect": sum(bool(record.get("defect", "").strip()) for record in records),
        "scored": len(pairs),
        "impossible": len(pairs) - len(kept),
        "hardly possible": len(kept) - len(likely),
        "doubtful": sum(pair.evidence != "measured" for pair in kept),
    }
    return Accuracy(
        source=flags.source,
        sha256=_digest(flags.measurements),
        date=flags.date,
        measurements=catalog.measurements,
        method=_METHOD,
        counts=counts,
        bands=bands,
        wider=_wider(kept, report.possible(_by_formula(records, catalog))),
        errors={
            "all": report.shares({"all rows": pairs, "without impossible": kept, "without hardly possible": likely}),
            **{name: report.shares(report.members(pairs, name)) for name in report.GROUPINGS if name != "all"},
        },
        regret={name: asdict(found) for name, found in regret.by_engine(pairs).items()},
        joint={backend: _joint(kept, backend, own) for backend, own in bands.items() if {"itl", "ttft"} <= own.keys()},
        worst=residuals.worst(pairs),
    )


def _bands(pairs: Sequence[Pair]) -> dict[str, dict[str, Band]]:
    """Per engine and metric, from predictions that rest on measurements."""
    found: dict[str, dict[str, Band]] = {}
    for backend, own in report.members(pairs, "backend").items():
        sure = [pair for pair in own if pair.evidence == "measured"]
        bands = {metric: _band(sure, metric) for metric in METRICS}
        found[backend] = {metric: band for metric, band in bands.items() if band is not None}
    return found


def _band(pairs: Sequence[Pair], metric: Metric) -> Band | None:
    """The interval, and how well it would have held for whole models and systems that were not there."""
    band = intervals.band(report.residuals(pairs, metric))
    models = intervals.band(report.residuals(pairs, metric, lambda pair: pair.model))
    systems = intervals.band(report.residuals(pairs, metric, lambda pair: pair.system))
    if band is None:
        return None
    return replace(
        band,
        without_model=None if models is None else models.coverage,
        without_system=None if systems is None else systems.coverage,
    )


def _joint(pairs: Sequence[Pair], backend: str, bands: Mapping[str, Band]) -> list[tuple[float, float]]:
    """How the two latencies of an engine's runs fell from their predictions, together."""
    own = [pair for pair in pairs if pair.backend == backend and pair.evidence == "measured"]
    both = [(pair.itl[1] / pair.itl[0], pair.ttft[1] / pair.ttft[0]) for pair in own if pair.itl and pair.ttft]
    return intervals.joint(np.log(np.array(both)), (bands["itl"], bands["ttft"]))


def _by_formula(records: Records, catalog: Catalog) -> list[Pair]:
    """The same runs, predicted as if nothing had been measured."""
    forecaster = forecast.Forecaster(catalog, mode="analytical")
    return trial.pairs(records, trial.forecasts(records, forecaster), forecaster)


def _wider(pairs: Sequence[Pair], by_formula: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Evidence -> metric -> how much further measurements fall from predictions that rest on it."""
    sure = [pair for pair in pairs if pair.evidence == "measured"]
    worse = {
        "transferred": [pair for pair in pairs if pair.evidence == "transferred"],
        "formula": [pair for pair in by_formula if pair.evidence == "formula"],
    }
    return {name: {metric: _widening(sure, found, metric) for metric in METRICS} for name, found in worse.items()}


def _widening(sure: Sequence[Pair], worse: Sequence[Pair], metric: Metric) -> float:
    """Over all engines, each row's distance counted from the middle of its own engine's sure predictions."""
    parts: tuple[list[Residuals], list[Residuals]] = ([], [])
    doubtful = report.members(worse, "backend")
    for backend, own in report.members(sure, "backend").items():
        middle = float(np.median(report.residuals(own, metric).logs))
        for found, group in zip(parts, (doubtful.get(backend, []), own), strict=True):
            rows = report.residuals(group, metric)
            found.append(replace(rows, logs=rows.logs - middle))
    return intervals.widening(*map(_together, parts)) if sure else 1.0


def _together(parts: Sequence[Residuals]) -> Residuals:
    return Residuals(
        logs=np.concatenate([part.logs for part in parts]), groups=tuple(name for part in parts for name in part.groups)
    )


def _summary(learned: Accuracy) -> str:
    lines = [f"{learned.counts['scored']} of {learned.counts['rows']} rows, {learned.source}"]
    for backend, bands in learned.bands.items():
        for metric, band in bands.items():
            lines.append(
                f"{backend} {metric}: measured over predicted {band.low:.2f} to {band.high:.2f}, "
                f"{100 * band.coverage:.1f} % of rows inside with their group left out"
            )
    return "\n".join(lines)
