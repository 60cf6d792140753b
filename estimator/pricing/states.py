"""Kernels with a state instead of a cache: the convolution before it, and the recurrence or scan itself.

Context rows are those of one sequence along its tokens, decode rows those of one token along the sequences.
"""

from collections.abc import Mapping
from dataclasses import replace

from estimator import roofline
from estimator.hardware import System
from estimator.ops import StateScan
from estimator.pricing.ladder import Ladder, Relative, line
from estimator.pricing.sheets import Curve, Formula, Light, rescaled
from perf_db.provenance import Provenance
from perf_db.table import Value

TYPICAL = 0.5
"""Share of the memory bandwidth where no such kernel was measured (assumption: unfused 32-bit updates)."""
_PARTS: Mapping[str, str] = {"conv": "convolution", "recurrence": "recurrence", "scan": "scan"}
"""What the tables call them; nobody published state-space scans."""
_MEASURED_PHASE = {"context": "context", "decode": "generation"}


def exact(ladder: Ladder, op: StateScan) -> Curve | None:
    """Measured with these heads."""
    found = _nearest(ladder, op)
    return _curve(ladder.system, op, found) if found is not None and found.distance == 0 else None


def transferred(ladder: Ladder, op: StateScan) -> Curve | None:
    """The nearest measured heads, by the bytes they move."""
    found = _nearest(ladder, op)
    if found is None:
        return None
    return rescaled(_curve(ladder.system, _twin(op, found), found), _light(ladder.system, op), Provenance.TRANSFERRED)


def formula(system: System, op: StateScan) -> Formula:
    """A launch, and the bytes at the typical share."""
    light = _light(system, op)
    return Formula(light=lambda x: light(x) + system.memory_op_seconds * TYPICAL, typical=TYPICAL)


def _light(system: System, op: StateScan) -> Light:
    return lambda x: roofline.state(system, op, x)


def _columns(op: StateScan) -> dict[str, str]:
    """Which column holds which size: groups and states of Mamba-2 stand where key heads do in a delta net."""
    names = ("key_heads", "key_dim", "value_heads", "value_dim", "conv")
    delta = ("num_k_heads", "head_k_dim", "num_v_heads", "head_v_dim", "d_conv")
    mamba = ("n_groups", "d_state", "nheads", "head_dim", "d_conv")
    return dict(zip(delta if op.family == "gdn" else mamba, names, strict=True))


def _nearest(ladder: Ladder, op: StateScan) -> Relative | None:
    fixed: dict[str, Value] = {"part": _PARTS[op.kernel], "phase": _MEASURED_PHASE[op.phase]}
    sizes = {column: float(getattr(op, name)) for column, name in _columns(op).items()}
    return ladder.relative(op.family, fixed | _one(op), sizes)


def _one(op: StateScan) -> dict[str, Value]:
    return {"batch_size": 1} if op.phase == "context" else {"seq_len": 1}


def _twin(op: StateScan, found: Relative) -> StateScan:
    return replace(op, **{name: found.sizes[column] for column, name in _columns(op).items()})  # type: ignore[arg-type]  # sizes


def _curve(system: System, op: StateScan, found: Relative) -> Curve:
    along = "seq_len" if op.phase == "context" else "batch_size"
    return Curve(points=line(found.rows, along), light=_light(system, op), floor=found.floor)
