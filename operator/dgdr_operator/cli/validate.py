"""`dgdr validate`: measured runs in; coverage, and how far the predictions are from the measurements, out."""

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dgdr_operator.cli import forecast, measurements, options, trial
from dgdr_operator.cli.forecast import Forecast, Forecaster
from dgdr_operator.cli.options import FEASIBLE, Parser
from dgdr_operator.cli.trial import Records
from dgdr_operator.report import accuracy_page, accuracy_record, artifacts, deployed, figures, regret, regret_page
from dgdr_operator.report.accuracy import Pair
from dgdr_operator.report.deployed import Deployed
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from perf_db.accuracy import Accuracy
from perf_db.catalog import Catalog

_PURPOSE = "Predict every run of a CSV file of measurements and say how far the predictions are from them."
_NOTES = """\
The file needs the columns backend, model_path, system, isl, osl, concurrency and tp_size; silicon_ttft_ms and
silicon_tpot_ms are what predictions are compared with. Every other column passes through --output untouched, which
adds predicted_ttft_ms, predicted_itl_ms, predicted_tokens_per_second, _low and _high of each (90 % intervals), and
error (why a row is not predicted). Predicted times to first token are what the client of such a run sees, tokens that
are streamed in batches included. Rows are suspect when their prompts alone imply more arithmetic than the GPUs can
do, or nearly as much. Configurations are chosen by prediction within each (model, system, engine, isl, osl), at every
measured TPOT, and what was measured for the choice is compared with the best that was measured. Measured tokens per
second are those of a closed loop: its clients over the time of a request."""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("validate", description=_PURPOSE, epilog=_NOTES)
    parser.add_argument("--measurements", metavar="FILE", type=Path, required=True, help="CSV file of measured runs")
    help_output = "write the file's own columns and the predictions there"
    parser.add_argument("--output", metavar="FILE", type=Path, help=help_output)
    ratio = options.positive("tokens per nominal token", 1)
    help_ratio = "mean length of the requests over the nominal one (0.9 of InferenceX runs, 1 of others)"
    parser.add_argument("--length-ratio", metavar="R", type=ratio, help=help_ratio)
    form = options.one_of(("table", "json"))
    parser.add_argument("--summary", type=form, metavar="FORM", default="table", help="table or json (table)")


def run(flags: argparse.Namespace) -> int:
    """Predict, write, print."""
    sheet, catalog = measurements.read(flags.measurements), Catalog()
    records, forecaster = sheet.records(), forecast.Forecaster(catalog, flags.length_ratio)
    found, stored = trial.forecasts(records, forecaster), catalog.accuracy
    if flags.output is not None:
        text = io.StringIO()
        measurements.write(text, sheet, [_fields(*row, stored) for row in zip(records, found, strict=True)])
        artifacts.replace(flags.output, text.getvalue())
    pairs = trial.pairs(records, found, forecaster)
    if flags.summary == "json":
        tree = accuracy_record.record(pairs, stored, _counts(records, found))
        sys.stdout.write(json.dumps(tree, indent=2, ensure_ascii=False) + "\n")
        return FEASIBLE
    paper = options.paper_of(sys.stdout)
    lines = [*_coverage(records, found, paper), *deployed.table(_kinds(records, found, forecaster), paper)]
    sys.stdout.write("\n".join([*lines, *_page(pairs, stored, paper)]) + "\n")
    return FEASIBLE


def _kinds(records: Records, found: Sequence[Forecast], forecaster: Forecaster) -> Counter[Deployed]:
    """What the predicted rows are taken to have served."""
    both = zip(records, found, strict=True)
    return Counter(forecaster.deployed(measurements.run(record)) for record, one in both if not one.reason)


def _fields(record: Mapping[str, str], one: Forecast, stored: Accuracy | None) -> tuple[str, ...]:
    """The cells of measurements.ADDED."""
    values = {
        "ttft": figures.milliseconds(one.ttft),
        "itl": figures.milliseconds(one.itl),
        "throughput": one.throughput,
    }
    ends: list[str] = []
    for metric, value in values.items():
        band = None if stored is None else stored.band(record["backend"].strip(), metric, one.evidence)
        ends += ("", "") if value is None or band is None else map(_number, band.around(value))
    return *map(_number, values.values()), *ends, one.reason


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _page(pairs: Sequence[Pair], stored: Accuracy | None, paper: Paper) -> Iterator[str]:
    if not pairs:
        yield from ("", "Nothing to score: no predicted row has a measured time.")
        return
    yield from accuracy_page.suspects(pairs, paper)
    yield ""
    yield from accuracy_page.errors(pairs, paper)
    yield ""
    yield from accuracy_page.coverage(pairs, stored, paper)
    yield from regret_page.table(regret.by_engine(pairs), paper)


def _counts(records: Records, forecasts: Sequence[Forecast]) -> dict[str, Any]:
    """Rows, how many are predicted, why the others are not, and why predicted ones are not scored."""
    return {
        "rows": len(records),
        "predicted": sum(not one.reason for one in forecasts),
        "left_out": dict(Counter(one.reason for one in forecasts if one.reason).most_common()),
        "defects": dict(
            Counter(text for record in records if (text := record.get("defect", "").strip())).most_common()
        ),
    }


def _coverage(records: Records, forecasts: Sequence[Forecast], paper: Paper) -> list[str]:
    counts = _counts(records, forecasts)
    share = figures.percent(counts["predicted"] / counts["rows"]) if records else "-"
    lines = [*heading("Predictions of measured runs", paper)]
    lines += facts("Coverage", [f"{counts['predicted']} of {counts['rows']} rows predicted ({share})"], paper)
    lines += facts("Left out", [f"{count}: {reason}" for reason, count in counts["left_out"].items()], paper)
    lines += facts("Unscored", [f"{count}: defect, {reason}" for reason, count in counts["defects"].items()], paper)
    return lines
