"""What every kind of layer is made of: norms, reductions, and the kernels between matrix products."""

from collections.abc import Iterable
from typing import Literal

from estimator.ops import ACTIVATION_BYTES, Collective, MemoryOp, Placed
from estimator.shape import Shape

Phase = Literal["prefill", "decode"]
_NORM_PASSES = 4
"""An add-and-norm reads two tensors of the model's width and writes two."""


def norm(shape: Shape, name: str, count: int) -> Placed:
    """An add-and-norm before a part of a layer."""
    moved = _NORM_PASSES * ACTIVATION_BYTES * shape.model.hidden
    return Placed(name=name, op=MemoryOp(bytes_per_token=moved), count=count, role="token")


def all_reduce(shape: Shape, phase: Phase, name: str, count: int, *, width: int | None = None) -> list[Placed]:
    """The sum over tensor-parallel ranks after a part of a layer, of *width* elements per token (the model's width);
    prompt steps launch it eagerly."""
    ranks = shape.parallel.tp
    if ranks == 1:
        return []
    variant: Literal["graph", "eager"] = "graph" if phase == "decode" else "eager"
    op = Collective(kind="all_reduce", ranks=ranks, width=width or shape.model.hidden, variant=variant)
    return [Placed(name=name, op=op, count=count, role="token")]


def elementwise(name: str, moved: float, count: int) -> list[Placed]:
    """A kernel that moves *moved* bytes per token, unless there is nothing to move."""
    return [Placed(name=name, op=MemoryOp(bytes_per_token=moved), count=count, role="token")] if moved else []


def chain(phase: Phase, name: str, kernels: Iterable[tuple[str, float]], count: int) -> list[Placed]:
    """Small kernels around a mixer: one by one on prompts; in decode graphs one fused kernel (assumption: engines
    compile such chains), called *name*, that moves what the first two of them move."""
    kernels = [(kernel, moved) for kernel, moved in kernels if moved]
    if phase == "decode":
        return elementwise(name, sum(moved for _, moved in kernels[:2]), count)
    return [placed for kernel, moved in kernels for placed in elementwise(kernel, moved, count)]
