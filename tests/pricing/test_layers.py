"""The operations of a model have the widths, counts and bytes that its definition says."""

import pytest

from estimator import catalogue
from estimator.backends import registry
from estimator.hardware import Gpu, Node, System
from estimator.layers import model as layers
from estimator.layers.parts import Phase
from estimator.ops import Collective, ContextAttention, DecodeAttention, Gemm, MemoryOp, Op, Transfer
from estimator.parallelism import Parallel
from estimator.quantization import Dtypes
from estimator.shape import Shape
from tests.pricing.dtypes import all_in

HOPPER = System(
    name="h200_sxm",
    gpu=Gpu(memory_bandwidth=4.8e12, flops={"bf16": 989e12, "fp8": 1978e12}, memory_capacity=151e9, sm=90),
    node=Node(gpus=8, intra_bandwidth=450e9, inter_bandwidth=50e9, pcie_bandwidth=64e9, p2p_latency=1e-5),
    memory_op_efficiency=0.8,
    memory_op_seconds=3e-6,
    nccl_bytes={1: 0.0},
    other_bytes=0.0,
)


EIGHT_BIT = all_in("fp8_block", "fp8")
SIXTEEN_BIT = all_in("bf16", "bf16")


def by_name(model: str, tp: int, phase: Phase, dtypes: Dtypes = EIGHT_BIT, pp: int = 1) -> dict[str, tuple[Op, int]]:
    shape = Shape(
        model=catalogue.load(model),
        parallel=Parallel(tp=tp, pp=pp),
        dtypes=dtypes,
        engine=registry.engine("vllm"),
        system=HOPPER,
    )
    return {one.name: (one.op, one.count) for one in layers.operations(shape, phase)}


@pytest.mark.parametrize(
    ("tp", "qkv", "o_proj", "gate_up", "down", "head"),
    [
        (1, 10240, 8192, 51200, 25600, 151936),
        (2, 5120, 4096, 25600, 12800, 75968),
        (4, 2560, 2048, 12800, 6400, 37984),
        (8, 1280, 1024, 6400, 3200, 18992),
    ],
)
def test_matrix_widths_of_qwen3_32b_are_split_evenly(
    tp: int, qkv: int, o_proj: int, gate_up: int, down: int, head: int
) -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", tp, "decode")

    assert ops["qkv"] == (Gemm(n=qkv, k=5120, dtype="fp8_block"), 64)
    assert ops["o_proj"] == (Gemm(n=5120, k=o_proj, dtype="fp8_block"), 64)
    assert ops["gate_up"] == (Gemm(n=gate_up, k=5120, dtype="fp8_block"), 64)
    assert ops["down"] == (Gemm(n=5120, k=down, dtype="fp8_block"), 64)
    assert ops["head"] == (Gemm(n=head, k=5120, dtype="bf16"), 1)


@pytest.mark.parametrize(("tp", "kv_heads"), [(1, 8), (4, 2), (8, 1)])
def test_key_value_heads_are_shared_out_and_then_replicated(tp: int, kv_heads: int) -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", tp, "prefill")

    decode = DecodeAttention(heads=64 // tp, kv_heads=kv_heads, head_dim=128, kv_dtype="fp8")
    context = ContextAttention(heads=64 // tp, kv_heads=kv_heads, head_dim=128, kv_dtype="fp8", arithmetic="bf16")
    assert ops["decode attention"] == (decode, 64)
    assert ops["context attention"] == (context, 64)


def test_replicated_heads_keep_their_projection() -> None:
    ops = by_name("Qwen/Qwen2.5-7B", 4, "decode", SIXTEEN_BIT)

    # 28 query and 4 key-value heads of 128: 7 + 2 x 1 heads on each of four ranks.
    assert ops["qkv"] == (Gemm(n=9 * 128, k=3584, dtype="bf16"), 28)


def test_every_layer_reduces_twice_and_the_split_embedding_once() -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", 4, "decode")

    captured = Collective(kind="all_reduce", ranks=4, width=5120, variant="graph")
    assert ops["attention all-reduce"] == (captured, 64)
    assert ops["ffn all-reduce"] == (captured, 64)
    assert ops["embedding all-reduce"] == (captured, 1)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_one_gpu_has_nobody_to_talk_to(phase: Phase) -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", 1, phase)

    assert not any(isinstance(op, Collective | Transfer) for op, _ in ops.values())


def test_elementwise_kernels_move_what_their_tensors_hold() -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", 2, "prefill")

    assert ops["attention norm"] == (MemoryOp(bytes_per_token=8 * 5120), 64)
    assert ops["activation"] == (MemoryOp(bytes_per_token=(25600 + 12800) * 2), 64)
    # 32 query and 4 key heads of 128, read and written; keys and values read in 16 bits, stored in 8.
    assert ops["rope"] == (MemoryOp(bytes_per_token=2 * 2 * 36 * 128), 64)
    assert ops["cache write"] == (MemoryOp(bytes_per_token=2 * 4 * 128 * (2 + 1)), 64)
    assert ops["q/k norm"] == (MemoryOp(bytes_per_token=2 * 2 * 36 * 128), 64)


def test_models_without_query_norms_do_not_pay_for_them() -> None:
    assert "q/k norm" not in by_name("meta-llama/Llama-3.1-70B", 4, "prefill")


def test_a_norm_over_all_heads_sums_over_ranks_before_it_can_run() -> None:
    eager, captured = (by_name("MiniMaxAI/MiniMax-M2.5", 4, phase) for phase in ("prefill", "decode"))

    # A 32-bit sum of squares of the queries and one of the keys: four elements of 16 bits per token.
    assert captured["q/k all-reduce"] == (Collective(kind="all_reduce", ranks=4, width=4), 62)
    assert eager["q/k all-reduce"] == (Collective(kind="all_reduce", ranks=4, width=4, variant="eager"), 62)
    assert "q/k all-reduce" not in by_name("Qwen/Qwen3-32B-FP8", 4, "decode")


def test_pipeline_stages_hand_over_between_them() -> None:
    ops = by_name("meta-llama/Llama-3.1-405B", 8, "decode", SIXTEEN_BIT, pp=4)

    assert ops["stage transfer"] == (Transfer(width=16384), 3)


@pytest.mark.parametrize(("tp", "gigabytes"), [(1, 31.2), (2, 15.6), (8, 3.9)])
def test_the_matrices_weigh_what_the_checkpoint_weighs(tp: int, gigabytes: float) -> None:
    ops = by_name("Qwen/Qwen3-32B-FP8", tp, "decode")

    matrices = sum(op.weight_bytes * count for op, count in ops.values() if isinstance(op, Gemm) and count > 1)
    assert matrices / 1e9 == pytest.approx(gigabytes, rel=0.005)
