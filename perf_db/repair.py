"""Replaces measured rows which cannot be what the engine does, and logs what was replaced.

Every rule looks at kernel measurements and physics alone; none knows an end-to-end result. What was measured stays in
the pack beside the repair. The reasons behind the rules and their limits are in docs/decisions/0003-repairs.md.

    launch-floor     a GEMM table that times the launch, or a fallback kernel, takes the rows of a sibling engine
    single-kernel    a GEMM type that takes as long as 16 bits where bytes decide takes the fastest of all engines' rows
    sister-system    attention that is slower than on a lesser GPU of the family takes that GPU's rows
    lower-envelope   more work never takes less time: a collective costs at most what a larger one costs
    speed-of-light   no GEMM and no decode attention is faster than its roofline
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from perf_db import rules, sisters
from perf_db.change import Change, Rule
from perf_db.kernels import single_kernel
from perf_db.launches import Siblings, launch_floor
from perf_db.pack import PackName, Patch
from perf_db.roofline import Roof
from perf_db.sisters import Sisters
from perf_db.table import Table

RULES = ("launch-floor", "lower-envelope", "speed-of-light", "single-kernel", "sister-system")
Tables = Mapping[str, Table]
Facts = Mapping[str, Mapping[str, Any]]

_COLLECTIVES = frozenset(
    {"custom_allreduce", "nccl", "wideep_deepep_ll", "wideep_deepep_normal", "moe_a2a", "trtllm_alltoall"}
)
_EXPERTS = frozenset({"moe", "wideep_context_moe", "wideep_generation_moe", "wideep_moe", "dsv4_megamoe_module"})
_KERNEL_SWITCH = 0.2  # an expert kernel may get a fifth faster with more tokens when the engine changes its tiling
_EXAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """The repairs of one pack: patches by table name, and the log for its meta record."""

    patches: Mapping[str, Patch]
    log: tuple[Mapping[str, Any], ...]


RepairsByPack = Mapping[PackName, Repairs]


def repair(
    packs: Mapping[PackName, Tables], siblings: Siblings, facts: Facts, family: Callable[[PackName], Sisters]
) -> RepairsByPack:
    """The repairs of each of *packs*; the GEMMs of other backends of its system, there or in *siblings*, are witnesses.

    *facts* are those of systems.json; *family*: what the same engine measured on lesser GPUs of the family.
    """
    gemms = {**siblings, **{name: tables["gemm"] for name, tables in packs.items() if "gemm" in tables}}
    found = {}
    for name, tables in packs.items():
        witnesses = {
            other: gemm
            for other, gemm in gemms.items()
            if other.system == name.system and other.backend != name.backend
        }
        found[name] = _repair_one(
            tables, _Witnesses(gemms=witnesses, sisters=family(name)), Roof.of(facts[name.system])
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Witnesses:
    """Other tables that tell what a table should say: GEMMs of other engines, and lesser GPUs of the family."""

    gemms: Siblings
    sisters: Sisters


def _repair_one(tables: Tables, witnesses: _Witnesses, roof: Roof) -> Repairs:
    patches, log = {}, []
    for title, table in sorted(tables.items()):
        changed = np.zeros(len(table), dtype=bool)
        numbers = np.zeros(len(table), dtype=np.uint8)
        for rule in _rules(title, witnesses, roof):
            for change in tuple(rule(table)):
                log.append(_entry(change, table))
                table = _with(table, change)  # noqa: PLW2901 - each rule sees what the one before it left
                changed[change.rows], numbers[change.rows] = True, RULES.index(change.rule)
        if changed.any():
            rows = np.flatnonzero(changed)
            patches[title] = Patch(rows=rows.astype(np.int32), seconds=table.seconds[rows], rules=numbers[rows])
    return Repairs(patches=patches, log=tuple(log))


def _rules(table: str, witnesses: _Witnesses, roof: Roof) -> tuple[Rule, ...]:
    if table == "gemm":
        light = partial(rules.speed_of_light, light=rules.gemm_light, roof=roof)
        judged = (partial(rule, siblings=witnesses.gemms, roof=roof) for rule in (launch_floor, single_kernel))
        return (*judged, light)
    family = partial(sisters.sister_system, sisters=witnesses.sisters)
    if table == "generation_attention":
        return family, partial(rules.speed_of_light, light=rules.decode_light, roof=roof)
    if table in sisters.TABLES:
        return (family,)
    if table in _COLLECTIVES:
        return (partial(rules.lower_envelope, tolerance=0.0),)
    return (partial(rules.lower_envelope, tolerance=_KERNEL_SWITCH),) if table in _EXPERTS else ()


def _with(table: Table, change: Change) -> Table:
    seconds = table.seconds.copy()
    seconds[change.rows] = change.seconds
    return replace(table, seconds=seconds)


def _entry(change: Change, table: Table) -> Mapping[str, Any]:
    """The log of one change: how many rows, why, and the rows that changed most."""
    old = table.seconds[change.rows]
    largest = np.argsort(-np.abs(np.log(change.seconds / old)), kind="stable")[:_EXAMPLES]
    return {
        "rule": change.rule,
        "table": table.name,
        "rows": len(change.rows),
        "why": change.why,
        "evidence": dict(change.evidence),
        "median_ratio": float(np.median(change.seconds / old)),
        "largest": [
            {
                "keys": {key: column.values[column.codes[change.rows[row]]] for key, column in table.columns.items()},
                "old_seconds": float(old[row]),
                "new_seconds": float(change.seconds[row]),
            }
            for row in largest
        ],
    }
