"""Latent attention (DeepSeek-V2, arXiv 2405.04434): a compressed cache, absorbed projections in decode."""

from estimator.layers.parts import Phase, all_reduce, chain, norm
from estimator.model import Latent
from estimator.ops import ACTIVATION_BYTES, ContextLatent, DecodeLatent, Gemm, LatentProduct, Placed, SparseLatent
from estimator.quantization import KV_BYTES
from estimator.shape import Shape


def matrices(shape: Shape, mixer: Latent, count: int) -> list[Placed]:
    """The projections: down to both ranks on every rank; up per head, split over ranks."""
    hidden, heads, dtype = shape.model.hidden, mixer.heads // shape.parallel.tp, shape.dtypes.attention_gemm
    query, key_value = heads * (mixer.nope_dim + mixer.rope_dim), heads * (mixer.nope_dim + mixer.v_dim)
    found = [
        ("down_proj", mixer.q_rank + mixer.kv_rank + mixer.rope_dim, hidden, "token"),
        ("q_up_proj", query, mixer.q_rank or hidden, "token"),
        ("kv_up_proj", key_value, mixer.kv_rank, "prompt_token"),
    ]
    out = Gemm(n=hidden, k=heads * mixer.v_dim, dtype=shape.dtypes.output_gemm)
    return [
        *(
            Placed(name=name, op=Gemm(n=n, k=k, dtype=dtype), count=count, role=role)  # type: ignore[arg-type]  # a Role
            for name, n, k, role in found
        ),
        Placed(name="o_proj", op=out, count=count, role="token"),
    ]


def operations(shape: Shape, mixer: Latent, count: int, phase: Phase) -> list[Placed]:
    """One latent attention block, *count* times; with a sparse index the whole block was measured as one module."""
    ends = (norm(shape, "attention norm", count), *all_reduce(shape, phase, "attention all-reduce", count))
    if mixer.index_top is not None:
        return [*ends, *_sparse(shape, mixer, count, phase)]
    return [
        *ends,
        *_projections(shape, mixer, count, phase),
        *_attention(shape, mixer, count, phase),
        *_around(shape, mixer, count, phase),
    ]


def _projections(shape: Shape, mixer: Latent, count: int, phase: Phase) -> list[Placed]:
    """Decode never expands keys and values: two batched products move queries and results instead."""
    found = [one for one in matrices(shape, mixer, count) if phase == "prefill" or one.role == "token"]
    heads, dtype = mixer.heads // shape.parallel.tp, shape.dtypes.attention_gemm
    for side in ("pre", "post"):
        op = LatentProduct(heads=heads, side=side, dtype=dtype)
        found.append(Placed(name=f"latent product, {side}", op=op, count=count, role="sequence"))
    return found


def _attention(shape: Shape, mixer: Latent, count: int, phase: Phase) -> list[Placed]:
    heads, kv = mixer.heads // shape.parallel.tp, shape.dtypes.kv
    decode = DecodeLatent(heads=heads, total=mixer.heads, kv_dtype=kv)
    ops = [Placed(name="decode attention", op=decode, count=count, role="decode")]
    if phase == "prefill":
        context = ContextLatent(heads=heads, total=mixer.heads, kv_dtype=kv)
        ops.append(Placed(name="context attention", op=context, count=count, role="context"))
    return ops


def _sparse(shape: Shape, mixer: Latent, count: int, phase: Phase) -> list[Placed]:
    heads, architecture = mixer.heads // shape.parallel.tp, shape.model.architecture

    def module(side: str) -> SparseLatent:
        return SparseLatent(
            phase=side,  # type: ignore[arg-type]  # context or decode
            heads=heads,
            architecture=architecture,
            kv_dtype=shape.dtypes.kv,
            dtype=shape.dtypes.attention_gemm,
        )

    ops = [Placed(name="sparse attention block, decode", op=module("decode"), count=count, role="decode")]
    if phase == "prefill":
        ops.append(Placed(name="sparse attention block, prompts", op=module("context"), count=count, role="context"))
    return ops


def _around(shape: Shape, mixer: Latent, count: int, phase: Phase) -> list[Placed]:
    heads = mixer.heads // shape.parallel.tp
    rope = 2 * ACTIVATION_BYTES * (heads + 1) * mixer.rope_dim
    write = (mixer.kv_rank + mixer.rope_dim) * (ACTIVATION_BYTES + KV_BYTES[shape.dtypes.kv])
    norms = 2 * ACTIVATION_BYTES * (mixer.q_rank + mixer.kv_rank)
    kernels = (("rope", rope), ("cache write", write), ("latent norms", norms))
    return chain(phase, "rope and cache write", kernels, count)
