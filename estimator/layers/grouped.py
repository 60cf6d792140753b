"""Grouped-query attention: projections, attention over prompts and over caches, and what runs around them."""

from estimator.layers.parts import Phase, all_reduce, chain, elementwise, norm
from estimator.model import Attention
from estimator.ops import ACTIVATION_BYTES, ContextAttention, DecodeAttention, Gemm, Placed
from estimator.quantization import KV_BYTES
from estimator.shape import Shape

_STATISTICS = 4
"""Elements of two bytes per token that ranks exchange to normalise over all heads: a 32-bit sum of squares of the
queries and one of the keys."""


def matrices(shape: Shape, mixer: Attention, count: int) -> list[Placed]:
    """Projections of queries, keys and values, and back; key-value heads are replicated when ranks outnumber them."""
    queries, keys = widths(shape, mixer)
    gate = 2 if mixer.gated else 1
    dtype = shape.dtypes.attention_gemm
    qkv = Gemm(n=gate * queries + 2 * keys, k=shape.model.hidden, dtype=dtype)
    out = Gemm(n=shape.model.hidden, k=queries, dtype=shape.dtypes.output_gemm)
    return [
        Placed(name="qkv", op=qkv, count=count, role="token"),
        Placed(name="o_proj", op=out, count=count, role="token"),
    ]


def widths(shape: Shape, mixer: Attention) -> tuple[int, int]:
    """Elements of one rank's queries and of its keys."""
    heads, kv_heads = mixer.heads // shape.parallel.tp, -(-mixer.kv_heads // shape.parallel.tp)
    return heads * mixer.head_dim, kv_heads * mixer.head_dim


def operations(shape: Shape, mixer: Attention, count: int, phase: Phase) -> list[Placed]:
    """One attention block, *count* times; a prompt iteration also attends for the sequences that decode beside it."""
    qkv, out = matrices(shape, mixer, count)
    return [
        norm(shape, "attention norm", count),
        qkv,
        *_normalised(shape, mixer, count, phase),
        *_attention(shape, mixer, count, phase),
        out,
        *all_reduce(shape, phase, "attention all-reduce", count),
        *_around(shape, mixer, count, phase),
    ]


def _normalised(shape: Shape, mixer: Attention, count: int, phase: Phase) -> list[Placed]:
    """What a norm over all heads of a layer adds: a kernel for the sums of squares, and their sum over ranks before
    the norm itself can run (MiniMax-M2: `use_qk_norm` with `qk_norm_type: per_layer`)."""
    if not mixer.norm_across:
        return []
    read = ACTIVATION_BYTES * sum(widths(shape, mixer))
    sums = elementwise("q/k sums of squares", read, count)
    applied = elementwise("q/k norm", 2 * read, count) if phase == "decode" else []
    return sums + applied + all_reduce(shape, phase, "q/k all-reduce", count, width=_STATISTICS)


def _attention(shape: Shape, mixer: Attention, count: int, phase: Phase) -> list[Placed]:
    heads, kv_heads = mixer.heads // shape.parallel.tp, -(-mixer.kv_heads // shape.parallel.tp)
    dtypes, mark = shape.dtypes, " (window)" if mixer.window else ""
    decode = DecodeAttention(
        heads=heads, kv_heads=kv_heads, head_dim=mixer.head_dim, kv_dtype=dtypes.kv, window=mixer.window
    )
    ops = [Placed(name=f"decode attention{mark}", op=decode, count=count, role="decode")]
    if phase == "prefill":
        context = ContextAttention(
            heads=heads,
            kv_heads=kv_heads,
            head_dim=mixer.head_dim,
            kv_dtype=dtypes.kv,
            arithmetic=dtypes.attention,
            window=mixer.window,
        )
        ops.append(Placed(name=f"context attention{mark}", op=context, count=count, role="context"))
    return ops


def _around(shape: Shape, mixer: Attention, count: int, phase: Phase) -> list[Placed]:
    queries, keys = widths(shape, mixer)
    rope = 2 * ACTIVATION_BYTES * (queries + keys)
    write = 2 * keys * (ACTIVATION_BYTES + KV_BYTES[shape.dtypes.kv])
    norms = 2 * ACTIVATION_BYTES * (queries + keys) if mixer.qk_norm else 0
    kernels = (("rope", rope), ("cache write", write), ("q/k norm", norms))
    return chain(phase, "rope and cache write", kernels, count)
