"""How the rows of published files become a table of ours: what is key, what is time, and who measured it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db.keys import CHOSEN_BY_ENGINE, KEYS, NEVER, SIZES
from perf_db.naming import Frame, in_our_words
from perf_db.pack import PackName
from perf_db.provenance import Provenance
from perf_db.table import ClassArray, Column, FloatArray, Table

_UNUSED_GEMMS = frozenset({"awq", "gptq"})  # weight-only formats no engine here resolves a checkpoint to


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Files as a table, and the rows that were left out.

    *repeated*: runs of a key that another run of it stands for; *unusable*: without a time, or of a format we do not
    use; *superseded*: of other versions, in slices that a preferred version has. *spread*: the 95th percentile of the
    longest run over the shortest one of a repeated key, 1.0 if none is repeated.
    """

    table: Table
    repeated: int
    unusable: int
    superseded: int
    spread: float
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The columns of one file, and whether it belongs to the very version it is read for."""

    frame: Frame
    own_version: bool = True


def tidy(name: str, files: Sequence[Rows], pack: PackName) -> Reading:
    """Table *name* of *pack* out of *files*, the preferred one first; others only add slices that it lacks.

    A slice is what the columns that are not sizes have in common: a data type, a model's experts, a rank count. Of
    repeated runs of one key the median stays, the lower one of two: what disturbs a benchmark adds time.
    Raises KeyError for a missing column and ValueError for rows whose meaning is unknown.
    """
    merged: Frame = {}
    unusable = superseded = 0
    for file in files:
        frame = in_our_words(name, file.frame)
        frame["provenance"] = _classes(frame, pack, own_version=file.own_version)
        usable = _usable(frame)
        unusable += int((~usable).sum())
        frame = _chosen(frame, usable)
        new = _new_slices(_slice_keys(name, frame), frame, merged)
        superseded += int((~new).sum())
        merged = _joined(merged, _chosen(frame, new))
    table, repeated, spread = _table(name, merged)
    devices = tuple(sorted({str(device) for file in files for device in file.frame.get("device", ())}))
    return Reading(
        table=table, repeated=repeated, unusable=unusable, superseded=superseded, spread=spread, devices=devices
    )


def _usable(frame: Frame) -> NDArray[np.bool_]:
    usable: NDArray[np.bool_] = np.isfinite(frame["seconds"])
    if "gemm_dtype" in frame:
        usable &= ~np.isin(frame["gemm_dtype"].astype(str), list(_UNUSED_GEMMS))
    return usable


def _chosen(frame: Frame, rows: NDArray[np.bool_]) -> Frame:
    return {column: values[rows] for column, values in frame.items()}


def _joined(first: Frame, second: Frame) -> Frame:
    return {key: np.concatenate([first[key], second[key]]) for key in second if key in first} if first else second


def _slice_keys(name: str, frame: Frame) -> list[str]:
    return [key for key in _key_names(name, frame) if key not in SIZES]


def _new_slices(keys: Sequence[str], frame: Frame, merged: Frame) -> NDArray[np.bool_]:
    """Which rows of *frame* are in a slice that *merged* has no row of."""
    if not merged:
        return np.ones(len(frame["seconds"]), dtype=bool)
    known = set(zip(*(merged[key].tolist() for key in keys), strict=True))
    return np.array([row not in known for row in zip(*(frame[key].tolist() for key in keys), strict=True)], dtype=bool)


def _classes(frame: Frame, pack: PackName, *, own_version: bool) -> ClassArray:
    """MEASURED by this engine and version, REUSED from another version, SIBLING when the rows name another engine."""
    rows = len(frame["seconds"])
    least = Provenance.MEASURED if own_version else Provenance.REUSED
    if pack.backend == "nccl" or "framework" not in frame:
        return np.full(rows, least, dtype=np.uint8)
    engine = np.char.replace(np.char.lower(frame["framework"].astype(str)), "-", "")
    same_version = np.char.partition(frame["version"].astype(str), "+")[:, 0] == pack.version
    own = np.where(same_version, least, Provenance.REUSED)
    return np.where(engine == pack.backend, own, Provenance.SIBLING).astype(np.uint8)


def _table(name: str, frame: Frame) -> tuple[Table, int, float]:
    """Sorted by keys, one row each. Where two kernels timed one key, experts tell them apart; elsewhere one wins."""
    rows = len(frame["seconds"])
    columns = _columns(name, frame)
    if "kernel_source" in frame and "kernel" not in columns:
        kernel = _column(frame["kernel_source"])
        if _disagree(kernel, columns):
            if name in CHOSEN_BY_ENGINE:
                columns = {"kernel": kernel} | columns
            else:
                frame = _chosen(frame, _most_common_kernel(kernel, columns))
                columns = _columns(name, frame)
    order, first = _order(columns, frame["seconds"])
    starts = np.flatnonzero(first)
    runs = np.diff(np.append(starts, len(order)))
    kept = order[starts + (runs - 1) // 2]
    seconds: FloatArray = frame["seconds"]
    table = Table(name=name, columns=columns, seconds=seconds, provenance=frame["provenance"]).take(kept)
    return table, rows - len(kept), _spread(seconds[order], starts, runs)


def _columns(name: str, frame: Frame) -> dict[str, Column]:
    return {key: _column(frame[key]) for key in _key_names(name, frame)}


def _disagree(kernel: Column, columns: Mapping[str, Column]) -> bool:
    """Whether two kernels timed the same key."""
    order, first = _order(columns, kernel.codes)
    return bool((kernel.codes[order][1:] != kernel.codes[order][:-1])[~first[1:]].any())


def _most_common_kernel(kernel: Column, columns: Mapping[str, Column]) -> NDArray[np.bool_]:
    """Of each key the rows of the kernel that timed most of the table: the one the engine chooses by itself."""
    counts = np.bincount(kernel.codes)
    order, first = _order(columns, -counts[kernel.codes])
    key = np.cumsum(first) - 1
    winner = kernel.codes[order][first]
    wins = np.zeros(len(order), dtype=bool)
    wins[order] = kernel.codes[order] == winner[key]
    return wins


def _spread(seconds: FloatArray, starts: NDArray[np.intp], runs: NDArray[np.intp]) -> float:
    several = (runs > 1) & (seconds[starts] > 0)
    if not several.any():
        return 1.0
    shortest, longest = seconds[starts[several]], seconds[(starts + runs - 1)[several]]
    return round(float(np.quantile(longest / shortest, 0.95)), 3)


def _key_names(name: str, frame: Frame) -> Sequence[str]:
    if name in KEYS:
        return KEYS[name]
    loose = [key for key in frame if key not in NEVER]
    return [key for key in loose if key != "op_name" or len(set(frame[key])) > 1]


def _column(values: NDArray[Any]) -> Column:
    return Column.of(values.astype(str) if values.dtype == object else values)


def _order(columns: Mapping[str, Column], then: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """An order by all keys, *then* by that, and which rows in that order are the first of their key."""
    codes = [column.codes for column in columns.values()]
    order = np.lexsort([then, *codes[::-1]])
    differs = np.logical_or.reduce([code[order][1:] != code[order][:-1] for code in codes])
    return order, np.concatenate([np.ones(min(1, len(order)), dtype=bool), differs])
