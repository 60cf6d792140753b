"""A mixture of experts: router, the way of tokens to their experts and back, the experts, and the shared one."""

from dataclasses import replace
from typing import Literal

from estimator.layers.parts import Phase, elementwise, norm
from estimator.model import Experts, StateSpace
from estimator.ops import ACTIVATION_BYTES, Collective, ExpertExchange, ExpertProducts, Gemm, Placed
from estimator.shape import Shape

_BALANCED_TOKENS = 0.8
"""Replicating busy experts (EPLB) takes this share off the fullest GPU: NVIDIA's and LMSYS's published curves."""
_BLACKWELL = 100
_GATHERED_BYTES = {"nvfp4": 1 / 4 + 1 / 32, "fp8": 1 / 2, "fp8_block": 1 / 2}
"""Blackwell TensorRT-LLM gathers tokens already quantised: 4 bits and a scale per 16, or 8, instead of 16."""


def matrices(shape: Shape, ffn: Experts, count: int, phase: Phase = "decode") -> list[Placed]:
    """Router, projections into and out of a latent width, experts of one GPU, and the shared expert."""
    hidden, wide = shape.model.hidden, ffn.latent or shape.model.hidden
    found = [Placed(name="router", op=Gemm(n=ffn.count, k=hidden, dtype="bf16"), count=count, role="token")]
    if ffn.latent:
        down, up = Gemm(n=wide, k=hidden, dtype=shape.dtypes.gemm), Gemm(n=hidden, k=wide, dtype=shape.dtypes.gemm)
        found.append(Placed(name="latent down", op=down, count=count, role="token"))
        found.append(Placed(name="latent up", op=up, count=count, role="token"))
    products = ExpertProducts(
        hidden=wide,
        width=ffn.width,
        top=ffn.top,
        count=ffn.count,
        moe_tp=shape.parallel.moe_tp,
        moe_ep=shape.parallel.moe_ep,
        dtype=shape.dtypes.experts,
        skew=_skew(shape),
        matrices=3 if ffn.gated else 2,
        wide=("context" if phase == "prefill" else "decode") if shape.exchanges else None,
    )
    scale = shape.parallel.dp * _load(shape)
    found.append(Placed(name="experts", op=products, count=count, role="token", scale=scale))
    return [*found, *_shared(shape, ffn, count)]


def _load(shape: Shape) -> float:
    """Tokens of the fullest GPU over the mean; TensorRT-LLM's rows with copies were measured with their own tokens."""
    return _BALANCED_TOKENS if shape.replicates and shape.engine.name != "trtllm" else 1.0


def _skew(shape: Shape) -> str:
    """Name of the measured token distribution: how unevenly tokens choose experts, by family."""
    if shape.replicates:
        return "power_law_1.01_eplb" if shape.engine.name == "trtllm" else "power_law_0.6"
    gentle = shape.is_latent or any(isinstance(mixer, StateSpace) for mixer in shape.model.mixers)
    return "power_law_1.01" if gentle else "power_law_1.2"


def _shared(shape: Shape, ffn: Experts, count: int) -> list[Placed]:
    """The expert that every token visits: split over attention ranks, whole where tokens are exchanged."""
    if not ffn.shared_width:
        return []
    local = ffn.shared_width if shape.exchanges else ffn.shared_width // shape.parallel.tp
    inputs, hidden, dtype = 2 if ffn.gated else 1, shape.model.hidden, shape.dtypes.shared
    up, down = Gemm(n=inputs * local, k=hidden, dtype=dtype), Gemm(n=hidden, k=local, dtype=dtype)
    return [
        Placed(name="shared gate_up", op=up, count=count, role="token"),
        Placed(name="shared down", op=down, count=count, role="token"),
    ]


def operations(shape: Shape, ffn: Experts, count: int, phase: Phase) -> list[Placed]:
    """One mixture of experts, *count* times; decode graphs run the shared expert beside the routed ones."""
    before, after = _journey(shape, count, phase)
    placed = [*matrices(shape, ffn, count, phase), *before, *after]
    if ffn.shared_width:
        local = ffn.shared_width if shape.exchanges else ffn.shared_width // shape.parallel.tp
        placed += elementwise("shared activation", 3 * local * ACTIVATION_BYTES, count)
    if phase == "decode":
        placed = [replace(one, beside="shared" if one.name.startswith("shared") else "routed") for one in placed]
    return [norm(shape, "experts norm", count), *placed]


def _journey(shape: Shape, count: int, phase: Phase) -> tuple[list[Placed], list[Placed]]:
    """How tokens reach their experts and how results come back.

    With whole attention ranks a sum after the experts is all (the one before belongs to attention). With data-parallel
    attention tokens are gathered and results scattered, or both travel in all-to-all kernels.
    """
    parallel, hidden = shape.parallel, float(shape.model.hidden)
    if shape.group == 1:
        return [], []
    if shape.exchanges:
        return _exchange(shape, count, phase), []
    if parallel.dp == 1:
        variant: Literal["graph", "eager"] = "graph" if phase == "decode" else "eager"
        summed = Collective(kind="all_reduce", ranks=shape.group, width=hidden, variant=variant)
        return [], [Placed(name="experts all-reduce", op=summed, count=count, role="token")]
    whole = hidden * parallel.dp
    gathered = Collective(kind="all_gather", ranks=shape.group, width=whole * _gathered_share(shape))
    scattered = Collective(kind="reduce_scatter", ranks=shape.group, width=whole)
    before = [Placed(name="gather tokens", op=gathered, count=count, role="token")]
    after = [Placed(name="scatter results", op=scattered, count=count, role="token")]
    if parallel.tp > 1 and shape.engine.name == "sglang":
        back = Collective(kind="all_gather", ranks=parallel.tp, width=hidden)
        after.append(Placed(name="gather results", op=back, count=count, role="token"))
    return before, after


def _gathered_share(shape: Shape) -> float:
    if shape.engine.name != "trtllm" or shape.system.gpu.sm < _BLACKWELL:
        return 1.0
    return _GATHERED_BYTES.get(shape.dtypes.experts, 1.0)


def _exchange(shape: Shape, count: int, phase: Phase) -> list[Placed]:
    ffn = shape.experts
    if ffn is None:
        return []
    side: Literal["context", "decode"] = "context" if phase == "prefill" else "decode"
    op = ExpertExchange(
        phase=side,
        ranks=shape.group,
        hidden=shape.model.hidden,
        top=ffn.top,
        count=ffn.count,
        dtype=shape.dtypes.experts,
    )
    share = 1 / shape.parallel.tp if phase == "prefill" else 1.0
    return [Placed(name="expert exchange", op=op, count=count, role="token", scale=share)]
