"""The repair rule for attention tables of a GPU that are slower than those of a lesser GPU of its family.

The same engine in the same version runs the same kernels on both, so what has as much bandwidth and arithmetic cannot
take half as long again; a benchmark that fell back to another kernel does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db import suspects
from perf_db.change import Change
from perf_db.pack import PackName
from perf_db.provenance import Provenance
from perf_db.table import Table

TABLES = frozenset(
    {
        "context_attention", "generation_attention", "context_mla", "generation_mla", "mla_context_module",
        "mla_generation_module", "dsa_context_module", "dsa_generation_module", "encoder_attention",
    }
)  # fmt: skip
"""Tables that are compared: kernels on one GPU, whose speed hangs on its bandwidth and arithmetic alone."""
_KINDS = ("mla_dtype", "attn_dtype", "kv_cache_dtype", "gemm_type")
_SLOWER, _ENOUGH_ROWS = 1.5, 100
_FAMILY = 10
"""Compute capabilities (x 10) of one family share their tens: 100 and 103 are both Blackwell."""
_PEAKS = ("bf16", "fp8")
Sisters = Mapping[PackName, Mapping[str, Table]]


def lesser(system: str, facts: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Systems of the same family with at most the bandwidth and arithmetic of *system*, sorted."""
    own = facts[system]["gpu"]
    return tuple(
        sorted(
            other
            for other, block in facts.items()
            if other != system and _at_most(block["gpu"], own) and block["gpu"]["sm"] // _FAMILY == own["sm"] // _FAMILY
        )
    )


def _at_most(gpu: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    name = "memory_bandwidth_bytes_per_second"
    peaks = ((gpu["flops_per_second"][dtype] or 0, own["flops_per_second"][dtype] or 0) for dtype in _PEAKS)
    return bool(gpu[name] <= own[name] and all(peak <= most for peak, most in peaks))


def sister_system(table: Table, *, sisters: Sisters) -> Iterator[Change]:
    """Data types whose median row takes over 1.5 times that of a lesser GPU: rows take its time where it is less."""
    told: list[dict[str, int]] = []
    for sister, tables in sisters.items():
        if table.name not in tables:
            continue
        twin = tables[table.name]
        here, there = suspects.common_rows(table, twin)
        measured = table.provenance[here] == Provenance.MEASURED
        here, there = here[measured], there[measured]
        for kind in _kinds(table, here):
            chosen = _of_kind(table, here, kind)
            ratio = table.seconds[here[chosen]] / np.maximum(twin.seconds[there[chosen]], 1e-12)
            if kind not in told and len(ratio) >= _ENOUGH_ROWS and np.median(ratio) > _SLOWER:
                told.append(kind)
                yield _change(table, str(sister), kind, (here[chosen], twin.seconds[there[chosen]], ratio))


def _kinds(table: Table, rows: NDArray[np.intp]) -> list[dict[str, int]]:
    """The combinations of data types that occur, as codes by column."""
    names = [name for name in _KINDS if name in table.columns]
    codes = np.stack([table.columns[name].codes[rows] for name in names]) if names else np.zeros((0, len(rows)), int)
    return [dict(zip(names, map(int, kind), strict=True)) for kind in np.unique(codes, axis=1).T]


def _of_kind(table: Table, rows: NDArray[np.intp], kind: Mapping[str, int]) -> NDArray[np.bool_]:
    chosen = np.ones(len(rows), bool)
    for name, code in kind.items():
        chosen &= table.columns[name].codes[rows] == code
    return chosen


def _change(
    table: Table, sister: str, kind: Mapping[str, int], pairs: tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]
) -> Change:
    rows, seconds, ratio = pairs
    slower = ratio > 1
    words = {name: str(table.columns[name].values[code]) for name, code in kind.items()}
    return Change(
        rule="sister-system",
        rows=rows[slower],
        seconds=seconds[slower],
        why=f"slower than on {sister}, a GPU of the family with no more bandwidth and arithmetic",
        evidence={**words, "sister": sister, "median_ratio": float(np.median(ratio))},
    )
