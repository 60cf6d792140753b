"""What AIPerf writes about a run, read as one number per metric."""

import csv
import json
from collections.abc import Mapping

from dgdr_operator.errors import NoMeasurement

_UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "sec": 1e3}
"""Milliseconds per unit, for the metrics that are times."""

Measured = Mapping[str, float]
"""Averages by AIPerf's tag of the metric; times in milliseconds, rates per second."""


def from_json(source: str, text: str) -> Measured:
    """Averages by AIPerf's tags out of a profile_export_aiperf.json; times in ms. Raises NoMeasurement."""
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise NoMeasurement(source, f"is not JSON: {problem}") from None
    if not isinstance(found, dict):
        raise NoMeasurement(source, "holds no summary of a run")
    blocks = {**found, **found.get("records", {})} if isinstance(found.get("records"), dict) else found
    return {tag: value for tag, block in blocks.items() if (value := _average(tag, block)) is not None}


def from_csv(source: str, text: str) -> Measured:
    """The same out of a profile_export_aiperf.csv: rows of "Name (unit)" with an average or a single value."""
    measured: dict[str, float] = {}
    for row in csv.reader(text.splitlines()):
        name, _, unit = row[0].partition(" (") if row else ("", "", "")
        tag = name.strip().lower().replace(" ", "_")
        average = _number(row[1]) if len(row) > 1 else None
        if tag and average is not None:
            measured[tag] = average * _scale(tag, unit.rstrip(") "))
    if not measured:
        raise NoMeasurement(source, "holds no rows of AIPerf's metrics")
    return measured


def _average(tag: str, block: object) -> float | None:
    if not isinstance(block, Mapping):
        return None
    average = block.get("avg")
    if not isinstance(average, int | float) or isinstance(average, bool):
        return None
    return average * _scale(tag, str(block.get("unit", "ms")))


def _scale(tag: str, unit: str) -> float:
    """What brings a time to milliseconds; everything else stays as it is."""
    return _UNITS.get(unit, 1.0) if tag.endswith(("latency", "token")) else 1.0


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None
