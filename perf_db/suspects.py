"""Version jumps that are too large to believe: kept as measured, and listed so that a reader can doubt them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db.provenance import Provenance
from perf_db.table import CodeArray, FloatArray, Table

TABLES = {"gemm": ("m", "gemm_dtype"), "moe": ("num_tokens", "moe_dtype"), "mla_bmm": ("num_tokens", "bmm_dtype")}
"""Tables that are looked at: the column that counts tokens, and the one whose values are judged one by one."""
_FEW_TOKENS = 16
_TOO_MUCH_SLOWER = 2.5
_ENOUGH_ROWS = 20


def jumps(newer: Table, older: Table) -> Iterator[Mapping[str, Any]]:
    """Data types that take over 2.5 times as long as in an *older* version: the median of equal rows with few tokens.

    Rows that another version lent are not looked at. The same kernel, tuned anew, does not get that much slower;
    another kernel, or another way to time it, does.
    """
    tokens, dtypes = TABLES[newer.name]
    new, old = common_rows(newer, older)
    few = (newer.numbers(tokens)[new] <= _FEW_TOKENS) & (newer.provenance[new] == Provenance.MEASURED)
    new, old = new[few], old[few]
    kinds = newer.columns[dtypes]
    for code in np.unique(kinds.codes[new]):
        rows = kinds.codes[new] == code
        ratio = _ratios(newer.seconds[new[rows]], older.seconds[old[rows]])
        if len(ratio) >= _ENOUGH_ROWS and np.median(ratio) > _TOO_MUCH_SLOWER:
            yield {
                "table": newer.name,
                "dtype": str(kinds.values[code]),
                "rows": len(ratio),
                "median_ratio": round(float(np.median(ratio)), 3),
                "largest_ratio": round(float(ratio.max()), 3),
            }


def _ratios(new: FloatArray, old: FloatArray) -> FloatArray:
    return new[old > 0] / old[old > 0]


def common_rows(newer: Table, older: Table) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of equal keys in both; kernels may differ, the fastest of each counts."""
    keys = [name for name in newer.columns if name != "kernel" and name in older.columns]
    place_new, place_old = _places(newer, older, keys)
    new, old = _fastest(place_new, newer.seconds), _fastest(place_old, older.seconds)
    _, at_new, at_old = np.intersect1d(place_new[new], place_old[old], assume_unique=True, return_indices=True)
    return new[at_new], old[at_old]


def _places(newer: Table, older: Table, keys: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One number per row that is equal where all *keys* are."""
    place_new = np.zeros(len(newer), dtype=np.int64)
    place_old = np.zeros(len(older), dtype=np.int64)
    for key in keys:
        a, b = newer.columns[key], older.columns[key]
        values = {value: code for code, value in enumerate(sorted({*a.values, *b.values}, key=str))}
        place_new = place_new * len(values) + _recoded(a.codes, [values[value] for value in a.values])
        place_old = place_old * len(values) + _recoded(b.codes, [values[value] for value in b.values])
    return place_new, place_old


def _recoded(codes: CodeArray, numbers: list[int]) -> NDArray[np.int64]:
    return np.asarray(numbers, dtype=np.int64)[codes]


def _fastest(places: NDArray[np.int64], seconds: FloatArray) -> NDArray[np.intp]:
    order = np.lexsort([seconds, places])
    first = np.concatenate([np.ones(min(1, len(order)), dtype=bool), places[order][1:] != places[order][:-1]])
    fastest: NDArray[np.intp] = order[first]
    return fastest
