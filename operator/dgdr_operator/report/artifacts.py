"""A folder of files, each of them whole or not there: everything is written aside first and then moved into place."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dgdr_operator.report.rows import flat, row
from estimator.estimates import Estimate


def write(folder: Path, files: Mapping[str, str | bytes], owned: Sequence[str]) -> None:
    """Put *files* (relative path -> content) into *folder*, made if absent.

    owned: names directly under *folder* that belong to us; those not among *files* are removed, so that no file of
    an earlier answer stays beside a new one. Everything else in the folder is left alone. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        _stage(stage / "new", files)
        (stage / "old").mkdir()
        for name in owned:
            _swap(stage / "new" / name, folder / name, stage / "old" / name)
    finally:
        shutil.rmtree(stage)


def replace(path: Path, text: str) -> None:
    """Make *text* the content of the file at *path* in one step; readers see the old or the new. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as stage:
        aside = Path(stage) / path.name
        aside.write_text(text, encoding="utf-8", newline="")
        aside.replace(path)


def table(estimates: Sequence[Estimate]) -> str:
    """A CSV file of *estimates*: the keys of the JSON rows, nested ones joined by dots; columns of all modes."""
    records = [flat(row(estimate)) for estimate in estimates]
    header = list(dict.fromkeys(key for record in records for key in record))
    sheet = io.StringIO()
    writer: csv.DictWriter[Any] = csv.DictWriter(sheet, header, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return sheet.getvalue()


def _stage(root: Path, files: Mapping[str, str | bytes]) -> None:
    root.mkdir()
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())


def _swap(new: Path, place: Path, old: Path) -> None:
    """Move *new* to *place* and what was there to *old*; a file is replaced in one step."""
    if place.is_dir() and not place.is_symlink():
        place.rename(old)
    if new.exists():
        new.replace(place)
    else:
        place.unlink(missing_ok=True)
