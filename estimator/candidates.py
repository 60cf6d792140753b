"""Every worker shape and load worth pricing."""

import numpy as np

from estimator.hardware import System
from estimator.model import Model
from estimator.ops import Array
from estimator.parallelism import Parallel

_TENSOR_SIZES = (1, 2, 4, 8)
_PIPELINE_SIZES = (2, 4)
LOADS: Array = np.concatenate(
    [np.arange(1, 129), np.arange(132, 257, 4), np.arange(264, 513, 8), np.arange(528, 1025, 16)]
).astype(float)
"""Requests in flight per rank: every count to 128, then steps of at most 3 %."""


def shapes(model: Model, system: System, gpus: int, *, pipelines: bool = False) -> tuple[Parallel, ...]:
    """Ways to split a dense model over at most *gpus*: heads and widths divide evenly, tensor groups stay in a node.

    *pipelines* adds stages across nodes, for models that a single node cannot hold.
    """
    sizes = [tp for tp in _TENSOR_SIZES if _divides(model, tp) and tp <= system.node.gpus]
    found = [Parallel(tp=tp) for tp in sizes]
    if pipelines and sizes:
        found += [Parallel(tp=max(sizes), pp=pp) for pp in _PIPELINE_SIZES if pp <= model.layers]
    return tuple(shape for shape in found if shape.gpus <= gpus)


def _divides(model: Model, tp: int) -> bool:
    return model.attention.heads % tp == 0 and model.ffn % tp == 0


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
