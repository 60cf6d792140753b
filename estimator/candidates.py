"""Every worker shape and load worth pricing."""

from collections.abc import Iterator

import numpy as np

from estimator.backends.engine import Engine
from estimator.hardware import System
from estimator.model import Attention, DeltaNet, FeedForward, Latent, Model, StateSpace
from estimator.ops import Array
from estimator.parallelism import Parallel
from estimator.quantization import Dtypes

_SIZES = (1, 2, 4, 8, 16, 32, 64)
_PIPELINE_SIZES = (2, 4)
_BLOCK = 128
"""Block-scaled 8-bit experts are stored in blocks of 128 x 128: a rank's share of the width must be whole blocks."""
_WIDEST_TENSOR = 8
_WIDE = 8
"""Experts spread over more GPUs than a node joins only whole, and over at least this many GPUs."""
LOADS: Array = np.concatenate(
    [np.arange(1, 129), np.arange(132, 257, 4), np.arange(264, 513, 8), np.arange(528, 1025, 16)]
).astype(float)
"""Requests in flight per rank: every count to 128, then steps of at most 3 %."""
DECODE_LOADS: Array = np.concatenate(
    [
        np.arange(1, 33),
        np.arange(34, 65, 2),
        np.arange(68, 129, 4),
        np.arange(136, 257, 8),
        np.arange(272, 513, 16),
        np.arange(544, 1025, 32),
    ]
).astype(float)
"""Sequences per rank of a decode worker."""


def shapes(
    model: Model, system: System, engine: Engine, dtypes: Dtypes, gpus: int, *, pipelines: bool = False
) -> tuple[Parallel, ...]:
    """Ways to split *model* over at most *gpus* that its widths, its engine and the node allow.

    *pipelines* adds stages across nodes, for models that a single node cannot hold.
    """
    found = list(_dense(model, system) if model.experts is None else _mixtures(model, system, engine, dtypes))
    if pipelines and found:
        widest = max(found, key=lambda one: (one.gpus if one.dp == 1 else 0, one.moe_tp))
        found += [
            Parallel(tp=widest.tp, pp=pp, moe_tp=widest.moe_tp, moe_ep=widest.moe_ep)
            for pp in _PIPELINE_SIZES
            if pp <= model.layers
        ]
    return tuple(shape for shape in found if shape.gpus <= gpus)


def _dense(model: Model, system: System) -> Iterator[Parallel]:
    for tp in _SIZES:
        if tp <= min(_WIDEST_TENSOR, system.node.gpus) and _divides(model, tp):
            yield Parallel(tp=tp)


def _mixtures(model: Model, system: System, engine: Engine, dtypes: Dtypes) -> Iterator[Parallel]:
    """tp x dp = moe_tp x moe_ep; beyond a node only whole experts with data-parallel attention."""
    joined = system.joined
    for group in _SIZES:
        for tp in _SIZES:
            if group % tp or tp > min(_WIDEST_TENSOR, system.node.gpus) or not _divides(model, tp):
                continue
            for moe_ep in _SIZES:
                if group % moe_ep:
                    continue
                shape = Parallel(tp=tp, dp=group // tp, moe_tp=group // moe_ep, moe_ep=moe_ep)
                if (group <= joined or _spreads(shape)) and _experts_fit(model, shape, engine, dtypes):
                    yield shape


def _spreads(shape: Parallel) -> bool:
    return shape.moe_tp == 1 and shape.moe_ep >= _WIDE and shape.dp > 1


def _experts_fit(model: Model, shape: Parallel, engine: Engine, dtypes: Dtypes) -> bool:
    experts = model.experts
    if experts is None or experts.count % shape.moe_ep or experts.width % shape.moe_tp:
        return False
    if dtypes.experts == "fp8_block" and (experts.width // shape.moe_tp) % _BLOCK:
        return False
    return engine.splits(shape)


def _divides(model: Model, tp: int) -> bool:
    """Whether heads, states and dense widths split evenly over *tp* ranks."""
    return all(_mixer_divides(mixer, tp) for mixer in model.mixers) and all(
        block.ffn.width % tp == 0 for block in model.blocks if isinstance(block.ffn, FeedForward)
    )


def _mixer_divides(mixer: Attention | Latent | DeltaNet | StateSpace, tp: int) -> bool:
    match mixer:
        case DeltaNet():
            return mixer.key_heads % tp == 0 and mixer.value_heads % tp == 0
        case _:
            return mixer.heads % tp == 0
