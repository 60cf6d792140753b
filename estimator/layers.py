"""From a model and a way of splitting it to the operations of one iteration.

Widths follow the engines' integer division: query heads split evenly, key-value heads are replicated when there are
fewer of them than ranks. Sources: the public model definitions of the supported architectures.
"""

from typing import Literal

from estimator.model import Model
from estimator.ops import (
    ACTIVATION_BYTES,
    AllReduce,
    ContextAttention,
    DecodeAttention,
    Gemm,
    MemoryOp,
    Placed,
    Transfer,
)
from estimator.parallelism import Parallel
from estimator.quantization import KV_BYTES, Dtypes

Phase = Literal["prefill", "decode"]
_NORM_PASSES = 4
"""An add-and-norm reads two tensors of width h and writes two."""
_HEAD_DTYPE = "bf16"
"""The vocabulary head keeps 16-bit weights unless a checkpoint says otherwise."""


def operations(model: Model, parallel: Parallel, dtypes: Dtypes, phase: Phase) -> tuple[Placed, ...]:
    """Every operation that one GPU runs in an iteration of *phase*, over all layers.

    Prefill iterations run unfused elementwise kernels and eager collectives; decode iterations run captured graphs.
    """
    width = _Width(model, parallel)
    ops = [*_ends(model, parallel, phase), *_attention_block(model, parallel, dtypes, phase, width)]
    ops += _feed_forward(model, parallel, dtypes, phase)
    ops += _extras(model, dtypes, phase, width)
    if parallel.pp > 1:
        ops.append(
            Placed(name="stage transfer", op=Transfer(width=model.hidden), count=parallel.pp - 1, role="transfer")
        )
    return tuple(ops)


class _Width:
    """Heads of one rank."""

    def __init__(self, model: Model, parallel: Parallel) -> None:
        self.heads = model.attention.heads // parallel.tp
        self.kv_heads = -(-model.attention.kv_heads // parallel.tp)
        self.queries = self.heads * model.attention.head_dim
        self.keys = self.kv_heads * model.attention.head_dim


def _norm(model: Model, name: str) -> Placed:
    moved = _NORM_PASSES * ACTIVATION_BYTES * model.hidden
    return Placed(name=name, op=MemoryOp(bytes_per_token=moved), count=model.layers, role="token")


def _all_reduce(model: Model, parallel: Parallel, phase: Phase, name: str, count: int) -> list[Placed]:
    if parallel.tp == 1:
        return []
    op = AllReduce(ranks=parallel.tp, width=model.hidden, variant="graph" if phase == "decode" else "eager")
    return [Placed(name=name, op=op, count=count, role="token")]


def _ends(model: Model, parallel: Parallel, phase: Phase) -> list[Placed]:
    gather = MemoryOp(bytes_per_token=ACTIVATION_BYTES * model.hidden)
    head = Gemm(n=model.vocab // parallel.tp, k=model.hidden, dtype=_HEAD_DTYPE)
    return [
        Placed(name="embedding", op=gather, count=1, role="token"),
        *_all_reduce(model, parallel, phase, "embedding all-reduce", 1),
        Placed(name="head", op=head, count=1, role="head"),
    ]


def _attention_block(model: Model, parallel: Parallel, dtypes: Dtypes, phase: Phase, width: _Width) -> list[Placed]:
    qkv = Gemm(n=width.queries + 2 * width.keys, k=model.hidden, dtype=dtypes.gemm)
    out = Gemm(n=model.hidden, k=width.queries, dtype=dtypes.gemm)
    return [
        _norm(model, "attention norm"),
        Placed(name="qkv", op=qkv, count=model.layers, role="token"),
        *_attention(model, dtypes, phase, width),
        Placed(name="o_proj", op=out, count=model.layers, role="token"),
        *_all_reduce(model, parallel, phase, "attention all-reduce", model.layers),
    ]


def _attention(model: Model, dtypes: Dtypes, phase: Phase, width: _Width) -> list[Placed]:
    """Both kinds of attention for prefill: a mixed iteration holds prompts and decoding sequences."""
    shape = {"heads": width.heads, "kv_heads": width.kv_heads, "head_dim": model.attention.head_dim}
    decode = DecodeAttention(**shape, kv_dtype=dtypes.kv)
    ops = [Placed(name="decode attention", op=decode, count=model.layers, role="decode_attention")]
    if phase == "prefill":
        context = ContextAttention(**shape, kv_dtype=dtypes.kv, arithmetic=dtypes.attention)
        ops.append(Placed(name="context attention", op=context, count=model.layers, role="context_attention"))
    return ops


def _feed_forward(model: Model, parallel: Parallel, dtypes: Dtypes, phase: Phase) -> list[Placed]:
    local = model.ffn // parallel.tp
    activation = MemoryOp(bytes_per_token=3 * local * ACTIVATION_BYTES)
    up = Gemm(n=2 * local, k=model.hidden, dtype=dtypes.gemm)
    down = Gemm(n=model.hidden, k=local, dtype=dtypes.gemm)
    return [
        _norm(model, "ffn norm"),
        Placed(name="gate_up", op=up, count=model.layers, role="token"),
        Placed(name="activation", op=activation, count=model.layers, role="token"),
        Placed(name="down", op=down, count=model.layers, role="token"),
        *_all_reduce(model, parallel, phase, "ffn all-reduce", model.layers),
    ]


def _extras(model: Model, dtypes: Dtypes, phase: Phase, width: _Width) -> list[Placed]:
    """Rotary embedding, cache write and q/k norms.

    Decode graphs run them as one fused kernel (assumption: engines compile these chains); prompts run them apart.
    """
    rope = 2 * ACTIVATION_BYTES * (width.queries + width.keys)
    write = 2 * width.keys * (ACTIVATION_BYTES + KV_BYTES[dtypes.kv])
    norms = 2 * ACTIVATION_BYTES * (width.queries + width.keys) if model.attention.qk_norm else 0
    if phase == "decode":
        fused = MemoryOp(bytes_per_token=rope + write)
        return [Placed(name="rope and cache write", op=fused, count=model.layers, role="token")]
    kernels = [("rope", rope), ("cache write", write), ("q/k norm", norms)]
    return [
        Placed(name=name, op=MemoryOp(bytes_per_token=moved), count=model.layers, role="token")
        for name, moved in kernels
        if moved
    ]
