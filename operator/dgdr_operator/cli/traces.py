"""The CSV file of a trace: when each request came, and its lengths."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from dgdr_operator.cli.options import MOST_TOKENS, UsageError, nearest

COLUMNS = ("time", "isl", "osl")
_MOST_SECONDS = 1e9


def read(path: Path) -> list[tuple[float, int, int]]:
    """The requests of a trace: seconds, prompt tokens, output tokens. Raises UsageError naming line and column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        try:
            _check_header(path, rows.fieldnames or ())
            found = [_row(path, rows.line_num, row) for row in rows]
        except (UnicodeDecodeError, csv.Error) as problem:
            raise UsageError(f"{path} is not a CSV file: {problem}") from None
    if not found:
        raise UsageError(f"{path} holds no requests")
    return found


def _check_header(path: Path, header: object) -> None:
    names = tuple(header) if isinstance(header, list) else ()
    for name in COLUMNS:
        if name not in names:
            near = nearest(name, names)
            raise UsageError(f"{path} has no column {name!r}{near}; it needs {', '.join(COLUMNS)} (seconds, tokens)")


def _row(path: Path, line: int, row: Mapping[str, str | None]) -> tuple[float, int, int]:
    return _seconds(path, line, row["time"]), _tokens(path, line, "isl", row), _tokens(path, line, "osl", row)


def _seconds(path: Path, line: int, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not abs(value) <= _MOST_SECONDS:
        raise UsageError(f"{path}, line {line}: time must be a number of seconds, not {text!r}")
    return value


def _tokens(path: Path, line: int, name: str, row: Mapping[str, str | None]) -> int:
    text = row[name]
    try:
        value = int(text or "")
    except ValueError:
        value = 0
    if not 1 <= value <= MOST_TOKENS:
        raise UsageError(f"{path}, line {line}: {name} must be a whole number of tokens, at least 1, not {text!r}")
    return value
