"""Every run of a file beside its prediction: what validation and calibration both look at."""

import sys
import time
from collections.abc import Mapping, Sequence

from dgdr_operator.cli import measurements
from dgdr_operator.cli.forecast import Forecast, Forecaster
from dgdr_operator.cli.measurements import Run
from dgdr_operator.report.accuracy import Pair, Setting
from estimator.errors import EstimatorError
from perf_db.errors import PerfDatabaseError

_QUIET_SECONDS = 2.0
Records = Sequence[Mapping[str, str]]


def forecasts(records: Records, forecaster: Forecaster) -> list[Forecast]:
    """One forecast per record; says on a terminal how far it is."""
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


def pairs(records: Records, found: Sequence[Forecast], forecaster: Forecaster) -> list[Pair]:
    """What can be scored: predicted rows without a defect that hold a measured time."""
    made = (_pair(record, one, forecaster) for record, one in zip(records, found, strict=True))
    return [pair for pair in made if pair is not None]


def _pair(record: Mapping[str, str], one: Forecast, forecaster: Forecaster) -> Pair | None:
    if one.reason or record.get("defect", "").strip():
        return None
    truth = {name: measurements.measured(record, f"silicon_{name}_ms") for name in ("ttft", "tpot")}
    ttft, itl = _both(one.ttft, truth["ttft"]), _both(one.itl, truth["tpot"])
    if ttft is None and itl is None:
        return None
    run = measurements.run(record)
    rate = _rate(run, truth, forecaster.output(run))
    return Pair(
        name=record.get("id", "").strip(),
        backend=run.backend,
        system=run.system,
        model=run.model,
        setting=_setting(run),
        ttft=ttft,
        itl=itl,
        throughput=_both(one.throughput, None if rate is None else rate * forecaster.output(run)),
        evidence=one.evidence,
        arithmetic=0.0 if rate is None else _arithmetic(run, rate, forecaster),
    )


def _setting(run: Run) -> Setting:
    weights = " ".join(dict.fromkeys(filter(None, (run.precision, run.weights, run.experts))))
    return Setting(
        configuration=f"{run.parallel} {weights}".strip(),
        isl=run.isl,
        osl=run.osl,
        concurrency=run.concurrency,
        gpus=run.parallel.gpus,
    )


def _rate(run: Run, truth: Mapping[str, float | None], tokens: int) -> float | None:
    """Requests per second of the run: its clients over the time of a request (Little's law); None if that is open."""
    ttft, tpot = truth["ttft"], truth["tpot"]
    if ttft is None or (tpot is None and tokens > 1):
        return None
    return run.concurrency / (ttft + (tokens - 1) * (tpot or 0.0))


def _arithmetic(run: Run, rate: float, forecaster: Forecaster) -> float:
    try:
        return forecaster.arithmetic(run, rate)
    except (EstimatorError, PerfDatabaseError):
        # What cannot be asked says nothing against the row.
        return 0.0


def _both(predicted: float | None, truth: float | None) -> tuple[float, float] | None:
    return None if predicted is None or truth is None else (predicted, truth)
