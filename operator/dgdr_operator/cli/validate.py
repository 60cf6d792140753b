"""`dgdr validate`: measured runs in; coverage, and how far the predictions are from the measurements, out."""

import argparse
import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgdr_operator.cli import forecast, measurements, options
from dgdr_operator.cli.forecast import Forecast
from dgdr_operator.cli.options import FEASIBLE, Parser
from dgdr_operator.report import artifacts, figures, grid, scores
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from dgdr_operator.report.scores import Score
from perf_db.catalog import Catalog

_PURPOSE = "Predict every run of a CSV file of measurements and say how far the predictions are from them."
_QUIET_SECONDS = 2.0
_NOTES = """\
The file needs the columns backend, model_path, system, isl, osl, concurrency and tp_size; silicon_ttft_ms and
silicon_tpot_ms are what predictions are compared with. Every other column passes through --output untouched, which adds
predicted_ttft_ms, predicted_itl_ms and error (why a row is not predicted). Predicted times to first token are what the
client of such a run sees: with TensorRT-LLM's stream interval of 20 tokens they hold 20 token times more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A row that can be scored: its groups, and prediction and measurement of both times, seconds."""

    backend: str
    system: str
    ttft: tuple[float, float] | None
    itl: tuple[float, float] | None


_GROUPS: Mapping[str, Callable[[_Pair], str]] = {
    "all": lambda _: "all rows",
    "backend": lambda pair: pair.backend,
    "system": lambda pair: pair.system,
    "backend x system": lambda pair: f"{pair.backend} x {pair.system}",
}


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("validate", description=_PURPOSE, epilog=_NOTES)
    parser.add_argument("--measurements", metavar="FILE", type=Path, required=True, help="CSV file of measured runs")
    help_output = "write the file's own columns and the predictions there"
    parser.add_argument("--output", metavar="FILE", type=Path, help=help_output)
    ratio = options.positive("tokens per nominal token", 1)
    help_ratio = f"mean length of the requests over the nominal one ({forecast.LENGTH_RATIO})"
    parser.add_argument("--length-ratio", metavar="R", type=ratio, default=forecast.LENGTH_RATIO, help=help_ratio)


def run(flags: argparse.Namespace) -> int:
    """Predict, write, print."""
    sheet = measurements.read(flags.measurements)
    records = sheet.records()
    forecasts = _forecasts(records, forecast.Forecaster(Catalog(), flags.length_ratio))
    if flags.output is not None:
        text = io.StringIO()
        measurements.write(text, sheet, map(_fields, forecasts))
        artifacts.replace(flags.output, text.getvalue())
    sys.stdout.write(_page(records, forecasts, options.paper_of(sys.stdout)))
    return FEASIBLE


def _forecasts(records: Sequence[Mapping[str, str]], forecaster: forecast.Forecaster) -> list[Forecast]:
    started, shown = time.monotonic(), False
    found: list[Forecast] = []
    for record in records:
        found.append(forecaster.of(record))
        if sys.stderr.isatty() and time.monotonic() - started > _QUIET_SECONDS:
            shown = True
            sys.stderr.write(f"\r{len(found)} of {len(records)} rows")
    if shown:
        sys.stderr.write("\n")
    return found


def _fields(one: Forecast) -> tuple[str, str, str]:
    return _milliseconds(one.ttft), _milliseconds(one.itl), one.reason


def _milliseconds(seconds: float | None) -> str:
    value = figures.milliseconds(seconds)
    return "" if value is None else f"{value:.6g}"


def _page(records: Sequence[Mapping[str, str]], forecasts: Sequence[Forecast], paper: Paper) -> str:
    lines = [*_coverage(records, forecasts, paper)]
    pairs = [_pair(record, one) for record, one in zip(records, forecasts, strict=True)]
    scored = [pair for pair in pairs if pair is not None]
    if not scored:
        return "\n".join([*lines, "", "Nothing to score: no predicted row has a measured time."]) + "\n"
    lines += [
        "",
        *heading("Errors in % of the measured time (bias: signed median)", paper),
    ]
    for label, key in _GROUPS.items():
        lines += ["", *grid.draw(scores.columns(label, _scores(scored, key)), paper)]
    return "\n".join(lines) + "\n"


def _coverage(records: Sequence[Mapping[str, str]], forecasts: Sequence[Forecast], paper: Paper) -> list[str]:
    predicted = sum(not one.reason for one in forecasts)
    defects = Counter(record["defect"].strip() for record in records if record.get("defect", "").strip())
    share = figures.percent(predicted / len(records)) if records else "-"
    reasons = Counter(one.reason for one in forecasts if one.reason)
    lines = [*heading("Predictions of measured runs", paper)]
    lines += facts("Coverage", [f"{predicted} of {len(records)} rows predicted ({share})"], paper)
    lines += facts("Left out", [f"{count}: {reason}" for reason, count in reasons.most_common()], paper)
    lines += facts("Unscored", [f"{count}: defect, {reason}" for reason, count in defects.most_common()], paper)
    return lines


def _pair(record: Mapping[str, str], one: Forecast) -> _Pair | None:
    if one.reason or record.get("defect", "").strip():
        return None
    ttft = _both(one.ttft, measurements.measured(record, "silicon_ttft_ms"))
    itl = _both(one.itl, measurements.measured(record, "silicon_tpot_ms"))
    if ttft is None and itl is None:
        return None
    return _Pair(backend=record["backend"].strip(), system=record["system"].strip(), ttft=ttft, itl=itl)


def _both(predicted: float | None, truth: float | None) -> tuple[float, float] | None:
    return None if predicted is None or truth is None else (predicted, truth)


def _scores(pairs: Sequence[_Pair], key: Callable[[_Pair], str]) -> dict[str, tuple[Score | None, Score | None]]:
    groups = sorted({key(pair) for pair in pairs})
    members = {group: [pair for pair in pairs if key(pair) == group] for group in groups}
    return {
        group: (_score([pair.ttft for pair in inside]), _score([pair.itl for pair in inside]))
        for group, inside in members.items()
    }


def _score(both: Sequence[tuple[float, float] | None]) -> Score | None:
    known = [pair for pair in both if pair is not None]
    return scores.score([predicted for predicted, _ in known], [truth for _, truth in known])
