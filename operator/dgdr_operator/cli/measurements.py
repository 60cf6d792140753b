"""The CSV file of measured serving runs: read whole and checked, written back untouched with more columns."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from dgdr_operator.cli.options import UsageError, nearest
from dgdr_operator.units import MILLISECOND
from estimator.parallelism import Parallel

NEEDED = ("backend", "model_path", "system", "isl", "osl", "concurrency", "tp_size")
KNOWN = (
    *("id", *NEEDED, "backend_version", "precision", "batch_size", "pp_size", "attention_dp_size", "moe_tp_size"),
    *("moe_ep_size", "gemm_quant_mode", "moe_quant_mode", "silicon_ttft_ms", "silicon_tpot_ms", "defect"),
)
PREDICTED = ("predicted_ttft_ms", "predicted_itl_ms", "predicted_tokens_per_second")
ADDED = (*PREDICTED, *(f"{name}_{end}" for name in PREDICTED for end in ("low", "high")), "error")


# Beyond any run; larger numbers are slips.
MOST = 1e9


class BadRow(Exception):
    """One row cannot be understood; *column*, *value* and *allowed* say why."""

    def __init__(self, column: str, value: str, allowed: str) -> None:
        super().__init__(column, value, allowed)
        self.column = column
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.column} must be {self.allowed}, not {self.value!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file of runs: its header, and its rows as they stand, each as long as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def records(self) -> list[dict[str, str]]:
        """The rows by column name."""
        return [dict(zip(self.header, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one run was served; weights, experts, precision: dtypes as the file names them, "" when it does not say.

    concurrency: clients of the whole deployment; replicas: workers that share them.
    """

    backend: str
    backend_version: str | None
    model: str
    system: str
    isl: int
    osl: int
    concurrency: float
    replicas: int
    parallel: Parallel
    weights: str
    experts: str
    precision: str


def read(path: Path) -> Sheet:
    """The file at *path*. Raises UsageError naming the line or the column, and OSError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [tuple(line) for line in csv.reader(file) if line]
    except (csv.Error, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} is not a CSV file in UTF-8: {problem}") from None
    if not lines:
        raise UsageError(f"{path} is empty: a header and a row per run are needed")
    header, *rows = lines
    _check_header(path, header)
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UsageError(f"{path}, row {number}: {len(row)} fields where the header names {len(header)}")
    return Sheet(header=header, rows=tuple(rows))


def write(file: TextIO, sheet: Sheet, added: Iterable[Sequence[str]]) -> None:
    """Write *sheet* with the columns ADDED behind its own; columns of those names it already has are replaced."""
    kept = [index for index, name in enumerate(sheet.header) if name not in ADDED]
    sparing = csv.writer(file, lineterminator="\n")
    # The writer leaves a lone carriage return bare, which a reader takes for the end of the row.
    careful = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row, extra in zip((sheet.header, *sheet.rows), (ADDED, *added), strict=True):
        cells = [*(row[index] for index in kept), *extra]
        (careful if any("\r" in cell for cell in cells) else sparing).writerow(cells)


def run(record: Mapping[str, str]) -> Run:
    """The run that a row describes. Raises BadRow."""
    concurrency = _concurrency(record)
    return Run(
        backend=record["backend"].strip(),
        backend_version=record.get("backend_version", "").strip() or None,
        model=record["model_path"].strip(),
        system=record["system"].strip(),
        isl=_whole(record, "isl"),
        osl=_whole(record, "osl"),
        concurrency=concurrency,
        replicas=_replicas(record, concurrency),
        parallel=Parallel(
            tp=_whole(record, "tp_size"),
            pp=_size(record, "pp_size"),
            dp=_size(record, "attention_dp_size"),
            moe_tp=_size(record, "moe_tp_size"),
            moe_ep=_size(record, "moe_ep_size"),
        ),
        weights=record.get("gemm_quant_mode", "").strip(),
        experts=record.get("moe_quant_mode", "").strip(),
        precision=record.get("precision", "").strip(),
    )


def measured(record: Mapping[str, str], column: str) -> float | None:
    """The measured time in *column* (milliseconds in the file), seconds; None where nothing usable stands."""
    try:
        value = float(record.get(column, ""))
    except ValueError:
        return None
    return value * MILLISECOND if 0 < value < math.inf else None


def _check_header(path: Path, header: tuple[str, ...]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing:
        strangers = [name for name in header if name not in KNOWN]
        raise UsageError(f"{path} lacks the column {', '.join(missing)}{nearest(missing[0], strangers)}")
    if twice := [name for name in KNOWN if header.count(name) > 1]:
        raise UsageError(f"{path} has the column {twice[0]} more than once")


def _whole(record: Mapping[str, str], column: str) -> int:
    text = record[column].strip()
    try:
        value = float(text)
    except ValueError:
        raise BadRow(column, text, "a whole number") from None
    if not 1 <= value < MOST or value % 1:
        raise BadRow(column, text, "a whole number of at least 1")
    return int(value)


def _concurrency(record: Mapping[str, str]) -> int:
    """Clients in flight; where the file leaves that out, as many as fill the batch of every data-parallel rank."""
    if record["concurrency"].strip() or not record.get("batch_size", "").strip():
        return _whole(record, "concurrency")
    return _whole(record, "batch_size") * _size(record, "attention_dp_size")


def _replicas(record: Mapping[str, str], concurrency: int) -> int:
    """Workers: clients over the batch of one, where the file names both and one is a multiple of the other."""
    if not record.get("batch_size", "").strip():
        return 1
    batch = _whole(record, "batch_size") * _size(record, "attention_dp_size")
    return concurrency // batch if concurrency % batch == 0 else 1


def _size(record: Mapping[str, str], column: str) -> int:
    """A parallel size; an empty field, a zero and an absent column all mean that nothing is split that way."""
    if record.get(column, "").strip() in {"", "0"}:
        return 1
    return _whole(record, column)
