"""Mixtures of experts: the operations of five published models, derived by hand at two ways of splitting each."""

import math

import pytest

from estimator import catalogue, quantization
from estimator.backends import registry
from estimator.hardware import Gpu, Node, System
from estimator.layers import model as layers
from estimator.layers.parts import Phase
from estimator.ops import (
    Collective,
    ContextAttention,
    ContextLatent,
    DecodeAttention,
    DecodeLatent,
    ExpertProducts,
    Gemm,
    LatentProduct,
    Placed,
)
from estimator.parallelism import Parallel
from estimator.quantization import Dtypes
from estimator.shape import Shape

HOPPER = System(
    name="h200_sxm",
    gpu=Gpu(memory_bandwidth=4.8e12, flops={"bf16": 989e12, "fp8": 1978e12}, memory_capacity=151e9, sm=90),
    node=Node(gpus=8, intra_bandwidth=450e9, inter_bandwidth=50e9, pcie_bandwidth=64e9, p2p_latency=1e-5),
    memory_op_efficiency=0.8,
    memory_op_seconds=3e-6,
    nccl_bytes={1: 0.0},
    other_bytes=0.0,
)


def shape(model: str, engine: str, **parallel: int) -> Shape:
    found = catalogue.load(model)
    declared = quantization.checkpoint(found)
    types = {
        role: getattr(declared, role) for role in ("gemm", "attention_gemm", "output_gemm", "experts", "shared", "head")
    }
    dtypes = Dtypes(**types, kv="bf16", attention="bf16", origin={})
    return Shape(
        model=found, parallel=Parallel(**parallel), dtypes=dtypes, engine=registry.engine(engine), system=HOPPER
    )


def placed(one: Shape, phase: Phase) -> dict[str, list[Placed]]:
    found: dict[str, list[Placed]] = {}
    for op in layers.operations(one, phase):
        found.setdefault(op.name, []).append(op)
    return found


def gemms(one: Shape, phase: Phase) -> dict[str, tuple[int, int, int]]:
    """Name -> (n, k, layers), adding up layers of equal shape."""
    found: dict[str, tuple[int, int, int]] = {}
    for name, ops in placed(one, phase).items():
        if isinstance(ops[0].op, Gemm):
            found[name] = (ops[0].op.n, ops[0].op.k, sum(op.count for op in ops))
    return found


DEEPSEEK_TP8 = {
    "down_proj": (2112, 7168, 61), "q_up_proj": (3072, 1536, 61), "o_proj": (7168, 2048, 61),
    "gate_up": (4608, 7168, 3), "down": (7168, 2304, 3), "router": (256, 7168, 58),
    "shared gate_up": (512, 7168, 58), "shared down": (7168, 256, 58), "head": (16160, 7168, 1),
}  # fmt: skip
DEEPSEEK_DP8 = {
    "down_proj": (2112, 7168, 61), "q_up_proj": (24576, 1536, 61), "o_proj": (7168, 16384, 61),
    "gate_up": (36864, 7168, 3), "down": (7168, 18432, 3), "router": (256, 7168, 58),
    "shared gate_up": (4096, 7168, 58), "shared down": (7168, 2048, 58), "head": (129280, 7168, 1),
}  # fmt: skip
KIMI_TP8 = {
    "down_proj": (2112, 7168, 61), "q_up_proj": (1536, 1536, 61), "o_proj": (7168, 1024, 61),
    "gate_up": (4608, 7168, 1), "down": (7168, 2304, 1), "router": (384, 7168, 60),
    "shared gate_up": (512, 7168, 60), "shared down": (7168, 256, 60), "head": (20480, 7168, 1),
}  # fmt: skip
KIMI_TP4_DP4 = {
    "down_proj": (2112, 7168, 61), "q_up_proj": (3072, 1536, 61), "o_proj": (7168, 2048, 61),
    "gate_up": (9216, 7168, 1), "down": (7168, 4608, 1), "router": (384, 7168, 60),
    "shared gate_up": (4096, 7168, 60), "shared down": (7168, 2048, 60), "head": (40960, 7168, 1),
}  # fmt: skip
CASES = [
    ("deepseek-ai/DeepSeek-V3", {"tp": 8, "moe_tp": 8}, DEEPSEEK_TP8),
    ("deepseek-ai/DeepSeek-V3", {"dp": 8, "moe_ep": 8}, DEEPSEEK_DP8),
    ("moonshotai/Kimi-K2-Instruct", {"tp": 8, "moe_ep": 8}, KIMI_TP8),
    # Beyond one node tokens are exchanged and the shared expert stays whole.
    ("moonshotai/Kimi-K2-Instruct", {"tp": 4, "dp": 4, "moe_ep": 16}, KIMI_TP4_DP4),
    (
        "Qwen/Qwen3-235B-A22B-FP8",
        {"tp": 4, "moe_tp": 4},
        {"qkv": (2304, 4096, 94), "o_proj": (4096, 2048, 94), "router": (128, 4096, 94), "head": (37984, 4096, 1)},
    ),
    (
        "Qwen/Qwen3-235B-A22B-FP8",
        {"tp": 8, "moe_ep": 8},
        {"qkv": (1280, 4096, 94), "o_proj": (4096, 1024, 94), "router": (128, 4096, 94), "head": (18992, 4096, 1)},
    ),
    (
        "openai/gpt-oss-120b",
        {"tp": 1},
        {"qkv": (5120, 2880, 36), "o_proj": (2880, 4096, 36), "router": (128, 2880, 36), "head": (201088, 2880, 1)},
    ),
    (
        "openai/gpt-oss-120b",
        {"tp": 2, "moe_tp": 2},
        {"qkv": (2560, 2880, 36), "o_proj": (2880, 2048, 36), "router": (128, 2880, 36), "head": (100544, 2880, 1)},
    ),
    (
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        {"tp": 2, "moe_tp": 2},
        {"qkv": (3072, 4096, 32), "o_proj": (4096, 2048, 32), "router": (8, 4096, 32), "head": (16000, 4096, 1)},
    ),
    (
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        {"tp": 4, "moe_ep": 4},
        {"qkv": (1536, 4096, 32), "o_proj": (4096, 1024, 32), "router": (8, 4096, 32), "head": (8000, 4096, 1)},
    ),
]


@pytest.mark.parametrize(("model", "parallel", "expected"), CASES)
def test_decode_matrices_have_the_widths_that_the_definition_says(
    model: str, parallel: dict[str, int], expected: dict[str, tuple[int, int, int]]
) -> None:
    assert gemms(shape(model, "sglang", **parallel), "decode") == expected


@pytest.mark.parametrize(("model", "parallel", "expected"), CASES)
def test_prompts_run_the_same_matrices_and_expand_the_latent_ones(
    model: str, parallel: dict[str, int], expected: dict[str, tuple[int, int, int]]
) -> None:
    one = shape(model, "sglang", **parallel)
    heads = getattr(one.model.mixers[0], "heads", 0) // one.parallel.tp

    expanded = {"kv_up_proj": (heads * 256, 512, 61)} if one.is_latent else {}

    assert gemms(one, "prefill") == expected | expanded


EXPERTS = {
    "deepseek-ai/DeepSeek-V3": ((7168, 2048, 8, 256), 58),
    "moonshotai/Kimi-K2-Instruct": ((7168, 2048, 8, 384), 60),
    "Qwen/Qwen3-235B-A22B-FP8": ((4096, 1536, 8, 128), 94),
    "openai/gpt-oss-120b": ((2880, 2880, 4, 128), 36),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": ((4096, 14336, 2, 8), 32),
}


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize(("model", "parallel", "_expected"), CASES)
def test_experts_see_the_tokens_of_all_attention_ranks(
    model: str, parallel: dict[str, int], _expected: object, phase: Phase
) -> None:
    one = shape(model, "sglang", **parallel)

    found = placed(one, phase)["experts"]

    (hidden, width, top, count), layers_with = EXPERTS[model]
    assert sum(op.count for op in found) == layers_with
    for op in found:
        assert isinstance(op.op, ExpertProducts)
        assert (op.op.hidden, op.op.width, op.op.top, op.op.count) == (hidden, width, top, count)
        assert (op.op.moe_tp, op.op.moe_ep) == (one.parallel.moe_tp, one.parallel.moe_ep)
        assert op.scale == one.parallel.dp


@pytest.mark.parametrize(
    ("model", "tp", "heads"), [("deepseek-ai/DeepSeek-V3", 8, 16), ("moonshotai/Kimi-K2-Instruct", 4, 16)]
)
def test_latent_attention_splits_heads_and_shares_the_cache(model: str, tp: int, heads: int) -> None:
    one = shape(model, "trtllm", tp=tp, moe_ep=tp)

    prefill, decode = placed(one, "prefill"), placed(one, "decode")

    total = heads * tp
    assert prefill["context attention"][0].op == ContextLatent(heads=heads, total=total, kv_dtype="bf16")
    assert decode["decode attention"][0].op == DecodeLatent(heads=heads, total=total, kv_dtype="bf16")
    for side in ("pre", "post"):
        op = decode[f"latent product, {side}"][0].op
        assert isinstance(op, LatentProduct)
        assert op.heads == heads


def test_half_of_gpt_oss_sees_128_tokens() -> None:
    one = shape("openai/gpt-oss-120b", "vllm", tp=1)

    prefill = placed(one, "prefill")

    local = {"heads": 64, "kv_heads": 8, "head_dim": 64}
    window = DecodeAttention(heads=64, kv_heads=8, head_dim=64, kv_dtype="bf16", window=128)
    assert sum(op.count for op in prefill["decode attention (window)"]) == 18
    assert {op.op for op in prefill["decode attention (window)"]} == {window}
    assert sum(op.count for op in prefill["context attention"]) == 18
    assert prefill["context attention"][0].op == ContextAttention(**local, kv_dtype="bf16", arithmetic="bf16")


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_with_whole_attention_two_sums_a_layer_and_no_more(engine: str) -> None:
    one = shape("deepseek-ai/DeepSeek-V3", engine, tp=8, moe_ep=8)

    found = placed(one, "decode")

    reduces = {
        name: sum(op.count for op in ops)
        for name, ops in found.items()
        if isinstance(ops[0].op, Collective) and name != "embedding all-reduce"
    }
    assert reduces == {"attention all-reduce": 61, "ffn all-reduce": 3, "experts all-reduce": 58}


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_with_data_parallel_attention_tokens_are_gathered_and_scattered(engine: str) -> None:
    one = shape("deepseek-ai/DeepSeek-V3", engine, dp=8, moe_ep=8)

    found = placed(one, "decode")

    gather, scatter = found["gather tokens"][0], found["scatter results"][0]
    assert gather.op == Collective(kind="all_gather", ranks=8, width=8 * 7168)
    assert scatter.op == Collective(kind="reduce_scatter", ranks=8, width=8 * 7168)
    assert "attention all-reduce" not in found
    assert gather.count == scatter.count == 58


def test_beyond_a_node_tokens_travel_to_their_experts() -> None:
    one = shape("deepseek-ai/DeepSeek-V3", "sglang", tp=2, dp=8, moe_ep=16)

    decode, prefill = placed(one, "decode"), placed(one, "prefill")

    assert "gather tokens" not in decode
    assert decode["expert exchange"][0].scale == 1
    assert prefill["expert exchange"][0].scale == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("model", "parallel", "billions"),
    [
        ("deepseek-ai/DeepSeek-V3", {"tp": 8, "moe_ep": 8}, 671),
        ("moonshotai/Kimi-K2-Instruct", {"tp": 8, "moe_ep": 8}, 1026),
        ("Qwen/Qwen3-235B-A22B-FP8", {"tp": 4, "moe_tp": 4}, 235),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", {"tp": 2, "moe_tp": 2}, 46.7),
        ("openai/gpt-oss-120b", {"tp": 1}, 116.8),
    ],
)
def test_all_ranks_together_hold_the_parameters_that_the_model_is_known_for(
    model: str, parallel: dict[str, int], billions: float
) -> None:
    one = shape(model, "sglang", **parallel)
    held = 0.0
    for block in one.model.blocks:
        for op in layers.matrices(one, block):
            match op.op:
                case Gemm(n=n, k=k):
                    whole = op.name in {"down_proj", "router"}
                    held += op.count * n * k * (1 if whole else one.parallel.tp)
                case ExpertProducts() as e:
                    held += op.count * e.count * e.matrices * e.hidden * e.width
    held += one.model.vocab * one.model.hidden * (1 if one.model.tied else 2)

    assert held / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize(
    ("model", "parallel", "billions"),
    [
        ("deepseek-ai/DeepSeek-V3", {"tp": 8, "moe_ep": 8}, 37),
        ("moonshotai/Kimi-K2-Instruct", {"tp": 8, "moe_ep": 8}, 32),
        ("Qwen/Qwen3-235B-A22B-FP8", {"tp": 4, "moe_tp": 4}, 22),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", {"tp": 2, "moe_tp": 2}, 12.9),
        ("openai/gpt-oss-120b", {"tp": 1}, 5.1),
    ],
)
def test_a_token_is_multiplied_with_the_parameters_that_are_active(
    model: str, parallel: dict[str, int], billions: float
) -> None:
    one = shape(model, "sglang", **parallel)
    active = 0.0
    for op in layers.operations(one, "prefill"):
        match op.op:
            case Gemm(n=n, k=k):
                whole = op.name in {"down_proj", "router"}
                active += op.count * n * k * (1 if whole else one.parallel.tp)
            case ExpertProducts() as e:
                active += op.count * e.top * e.matrices * e.hidden * e.width

    # Published figures count the vocabulary head; embeddings are looked up, not multiplied.
    assert math.isclose(active / 1e9, billions, rel_tol=0.06)
