"""Layers with a state instead of a cache: gated delta nets and Mamba-2."""

from collections.abc import Callable

from estimator.layers.parts import Phase, all_reduce, elementwise, norm
from estimator.model import DeltaNet, StateSpace
from estimator.ops import ACTIVATION_BYTES, Gemm, Placed, StateScan
from estimator.shape import Shape


def delta_matrices(shape: Shape, mixer: DeltaNet, count: int) -> list[Placed]:
    """Projections into queries, keys, values and gates, into decay and strength, and back."""
    tp, hidden, dtype = shape.parallel.tp, shape.model.hidden, shape.dtypes.attention_gemm
    keys, values = mixer.key_heads * mixer.key_dim, mixer.value_heads * mixer.value_dim
    found = [
        ("in_proj", Gemm(n=(2 * keys + 2 * values) // tp, k=hidden, dtype=dtype)),
        ("in_proj, decay", Gemm(n=2 * mixer.value_heads // tp, k=hidden, dtype="bf16")),
        ("out_proj", Gemm(n=hidden, k=values // tp, dtype=shape.dtypes.output_gemm)),
    ]
    return [Placed(name=name, op=op, count=count, role="token") for name, op in found]


def delta_operations(shape: Shape, mixer: DeltaNet, count: int, phase: Phase) -> list[Placed]:
    """One gated delta net, *count* times."""
    tp = shape.parallel.tp

    def scan(kernel: str, side: str) -> StateScan:
        return StateScan(
            family="gdn",
            phase=side,  # type: ignore[arg-type]  # context or decode
            kernel=kernel,
            hidden=shape.model.hidden,
            key_heads=max(mixer.key_heads // tp, 1),
            key_dim=mixer.key_dim,
            value_heads=max(mixer.value_heads // tp, 1),
            value_dim=mixer.value_dim,
            conv=mixer.conv,
        )

    values = mixer.value_heads * mixer.value_dim // tp
    return [
        norm(shape, "linear attention norm", count),
        *delta_matrices(shape, mixer, count),
        *_scans(scan, ("conv", "recurrence"), count, phase),
        *elementwise("gated norm", 3 * ACTIVATION_BYTES * values, count),
        *all_reduce(shape, phase, "linear attention all-reduce", count),
    ]


def mamba_matrices(shape: Shape, mixer: StateSpace, count: int) -> list[Placed]:
    """Projections into the gated inner width, the shared B and C and the step sizes, and back."""
    tp, hidden, dtype = shape.parallel.tp, shape.model.hidden, shape.dtypes.attention_gemm
    heads = mixer.heads // tp
    inner, shared = heads * mixer.head_dim, 2 * max(mixer.groups // tp, 1) * mixer.state
    found = [
        ("in_proj", Gemm(n=2 * inner + shared + heads, k=hidden, dtype=dtype)),
        ("out_proj", Gemm(n=hidden, k=inner, dtype=shape.dtypes.output_gemm)),
    ]
    return [Placed(name=name, op=op, count=count, role="token") for name, op in found]


def mamba_operations(shape: Shape, mixer: StateSpace, count: int, phase: Phase) -> list[Placed]:
    """One Mamba-2 layer, *count* times; key heads stand for groups and key size for the state."""
    tp = shape.parallel.tp

    def scan(kernel: str, side: str) -> StateScan:
        return StateScan(
            family="mamba2",
            phase=side,  # type: ignore[arg-type]  # context or decode
            kernel=kernel,
            hidden=shape.model.hidden,
            key_heads=max(mixer.groups // tp, 1),
            key_dim=mixer.state,
            value_heads=max(mixer.heads // tp, 1),
            value_dim=mixer.head_dim,
            conv=mixer.conv,
        )

    return [
        norm(shape, "state space norm", count),
        *mamba_matrices(shape, mixer, count),
        *_scans(scan, ("conv", "scan"), count, phase),
        *all_reduce(shape, phase, "state space all-reduce", count),
    ]


def _scans(scan: Callable[[str, str], StateScan], kernels: tuple[str, str], count: int, phase: Phase) -> list[Placed]:
    """The state kernels of decoding sequences, and in prompt iterations those of the prompts' tokens."""
    ops = [
        Placed(name=f"{kernel}, decode", op=scan(kernel, "decode"), count=count, role="sequence") for kernel in kernels
    ]
    if phase == "prefill":
        ops += [
            Placed(name=f"{kernel}, prompts", op=scan(kernel, "context"), count=count, role="prompt_token")
            for kernel in kernels
        ]
    return ops
