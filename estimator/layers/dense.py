"""A dense feed-forward part: in, activation, out, and the sum over ranks."""

from estimator.layers.parts import Phase, all_reduce, elementwise, norm
from estimator.model import FeedForward
from estimator.ops import ACTIVATION_BYTES, Gemm, Placed
from estimator.shape import Shape


def matrices(shape: Shape, ffn: FeedForward, count: int) -> list[Placed]:
    """Both matrices; gated parts have two inputs side by side."""
    local, dtype = ffn.width // shape.parallel.tp, shape.dtypes.gemm
    up = Gemm(n=(2 if ffn.gated else 1) * local, k=shape.model.hidden, dtype=dtype)
    down = Gemm(n=shape.model.hidden, k=local, dtype=dtype)
    return [
        Placed(name="gate_up" if ffn.gated else "up", op=up, count=count, role="token"),
        Placed(name="down", op=down, count=count, role="token"),
    ]


def operations(shape: Shape, ffn: FeedForward, count: int, phase: Phase) -> list[Placed]:
    """One feed-forward part, *count* times."""
    local = ffn.width // shape.parallel.tp
    return [
        norm(shape, "ffn norm", count),
        *matrices(shape, ffn, count),
        *elementwise("activation", (3 if ffn.gated else 2) * local * ACTIVATION_BYTES, count),
        *all_reduce(shape, phase, "ffn all-reduce", count),
    ]
