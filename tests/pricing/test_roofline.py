"""The speed of light of every operation: hand-derived values on an H200, and laws."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import hardware, roofline
from estimator.hardware import System
from estimator.ops import (
    Array,
    Collective,
    ContextAttention,
    ContextLatent,
    DecodeAttention,
    DecodeLatent,
    ExpertExchange,
    ExpertProducts,
    LatentProduct,
    MemoryOp,
    SparseLatent,
    StateScan,
    Transfer,
)
from perf_db.catalog import Catalog

HBM, BF16, FP8, NVLINK = 4.8e12, 989e12, 1978e12, 450e9


def at(*values: float) -> Any:  # noqa: ANN401 - as many arrays as there were numbers
    return tuple(np.asarray(value, np.float64) for value in values)


def test_a_small_product_waits_for_its_weights(h200: System) -> None:
    found = roofline.gemm(h200, "fp8", *at(4096, 7168, 1))

    assert found == pytest.approx((4096 * 7168 + 2 * (4096 + 7168)) / HBM)


def test_a_large_product_waits_for_its_arithmetic(h200: System) -> None:
    found = roofline.gemm(h200, "fp8", *at(4096, 7168, 8192))

    assert found == pytest.approx(2 * 4096 * 7168 * 8192 / FP8)


def test_prompt_attention_computes_half_of_the_square(h200: System) -> None:
    op = ContextAttention(heads=32, kv_heads=8, head_dim=128, kv_dtype="bf16", arithmetic="bf16")

    found = roofline.context_attention(h200, op, at(32, 8), *at(2, 4000))

    assert found == pytest.approx(2 * 2 * 4000**2 * 32 * 128 / BF16)


def test_a_window_leaves_a_band_of_the_square() -> None:
    found = roofline.seen_pairs(np.asarray(4000.0), 128)

    # The first 128 queries see a triangle, the other 3872 see 128 keys each.
    assert found == 128 * 128 / 2 + 3872 * 128


def test_decode_attention_reads_every_cached_key_and_value(h200: System) -> None:
    op = DecodeAttention(heads=32, kv_heads=8, head_dim=128, kv_dtype="fp8")

    found = roofline.decode_attention(h200, op, at(32, 8), *at(16, 4097))

    assert found == pytest.approx(16 * (4 * 32 * 128 + 2 * 8 * 4096 * 128) / HBM)


def test_decode_attention_reads_no_further_than_its_window(h200: System) -> None:
    op = DecodeAttention(heads=64, kv_heads=8, head_dim=64, kv_dtype="bf16", window=128)

    near, far = roofline.decode_attention(h200, op, at(64, 8), np.asarray(8.0), np.array([129.0, 100_000.0]))

    assert near == far


def test_all_heads_share_one_latent_cache(h200: System) -> None:
    op = DecodeLatent(heads=16, total=128, kv_dtype="bf16")

    found = roofline.decode_latent(h200, op, *at(16, 32, 4097))

    assert found == pytest.approx(32 * (2 * 16 * 1088 + 2 * 576 * 4096) / HBM)


def test_many_heads_compute_longer_than_they_read(h200: System) -> None:
    op = DecodeLatent(heads=128, total=128, kv_dtype="bf16")

    found = roofline.decode_latent(h200, op, *at(128, 32, 4097))

    assert found == pytest.approx(2 * 32 * 128 * 1088 * 4096 / BF16)


def test_latent_prompts_have_keys_of_192_and_values_of_128(h200: System) -> None:
    op = ContextLatent(heads=16, total=128, kv_dtype="bf16")

    assert roofline.context_latent(h200, op, *at(16, 1, 4000)) == pytest.approx(16 * 320 * 4000**2 / BF16)


def test_one_token_reads_the_experts_it_visits(h200: System) -> None:
    op = ExpertProducts(
        hidden=7168, width=2048, top=8, count=256, moe_tp=1, moe_ep=8, dtype="fp8_block", skew="balanced"
    )

    # Eight experts over eight GPUs: one of three 7168 x 2048 matrices each, and an eighth of the token in and out.
    found = roofline.experts(h200, op, np.asarray(1.0))

    assert found == pytest.approx((3 * 7168 * 2048 + 4 * 7168 / 8) / HBM, rel=1e-6)


def test_many_tokens_compute_longer_than_they_read(h200: System) -> None:
    op = ExpertProducts(
        hidden=7168, width=2048, top=8, count=256, moe_tp=1, moe_ep=8, dtype="fp8_block", skew="balanced"
    )

    assert roofline.experts(h200, op, np.asarray(65536.0)) == pytest.approx(2 * 3 * 65536 * 7168 * 2048 / FP8)


def test_ungated_experts_have_two_matrices(h200: System) -> None:
    gated = ExpertProducts(hidden=2688, width=1856, top=6, count=128, moe_tp=1, moe_ep=1, dtype="bf16", skew="balanced")

    two, three = (roofline.experts(h200, replace(gated, matrices=n), np.asarray(1e5)) for n in (2, 3))

    assert two / three == pytest.approx(2 / 3)


def test_balanced_tokens_hit_experts_as_independent_draws_do() -> None:
    hits = roofline.distinct_experts(128, 8, 0.0, np.array([1.0, 16.0]))

    assert hits == pytest.approx([8.0, 128 * (1 - (1 - 8 / 128) ** 16)])


@given(top=st.integers(1, 8), count=st.integers(8, 512), exponent=st.sampled_from([0.6, 0.8, 1.01, 1.2]))
def test_skew_never_hits_more_experts_than_balance(top: int, count: int, exponent: float) -> None:
    tokens = np.asarray(2.0 ** np.arange(17), np.float64)

    skewed, balanced = (roofline.distinct_experts(count, top, one, tokens) for one in (exponent, 0.0))

    assert (skewed <= balanced * (1 + 1e-9)).all()
    assert (skewed >= min(top, 1) - 1e-6).all()
    assert (skewed <= count).all()


def test_names_of_distributions_say_how_uneven_they_are() -> None:
    found = [roofline.skew_exponent(name) for name in ("balanced", "uniform", "power_law_1.2", "power_law_1.01_eplb")]

    assert found == [0.0, 0.0, 1.2, 0.0]


def test_an_all_reduce_passes_the_buffer_round_twice_and_a_gather_once(h200: System) -> None:
    reduced = Collective(kind="all_reduce", ranks=8, width=8192)
    gathered = replace(reduced, kind="all_gather")

    assert roofline.ring(h200, reduced, np.asarray(1000.0)) == pytest.approx(2 * 8192 * 1000 * 2 * 7 / 8 / NVLINK)
    assert roofline.ring(h200, gathered, np.asarray(1000.0)) == pytest.approx(2 * 8192 * 1000 * 7 / 8 / NVLINK)


def test_a_state_is_read_and_written_for_every_decoding_sequence(h200: System) -> None:
    op = StateScan(
        family="gdn", phase="decode", kernel="recurrence", hidden=4096, key_heads=4, key_dim=128, value_heads=16,
        value_dim=128, conv=4,
    )  # fmt: skip

    # 16 states of 128 x 128 in 16 bits both ways; queries, keys, values in and results out.
    found = roofline.state(h200, op, np.asarray(10.0))

    assert found == pytest.approx(10 * (2 * 2 * 16 * 128 * 128 + 2 * 2 * (4 + 16) * 128) / HBM)


def test_a_sparse_block_attends_to_no_more_than_it_keeps(h200: System) -> None:
    op = SparseLatent(
        phase="decode", heads=128, architecture="DeepseekV32ForCausalLM", kv_dtype="bf16", dtype="fp8_block"
    )
    heads, batch = at(128, 4096)

    kept, longer = (roofline.sparse_latent(h200, op, heads, batch, np.asarray(s)) for s in (2048.0, 4096.0))

    # Beyond 2048 tokens the index is asked: 64 heads of 128 elements, projected and held against each cached token.
    assert longer - kept == pytest.approx(2 * 4096 * 64 * 128 * (4096 + 1536) / FP8)


LIGHTS: dict[str, Callable[[System], Array]] = {
    "gemm": lambda s: roofline.gemm(s, "fp8", *at(4096, 4096, 100)),
    "prompts": lambda s: roofline.context_attention(
        s, ContextAttention(heads=8, kv_heads=1, head_dim=128, kv_dtype="fp8", arithmetic="fp8"), at(8, 1), *at(3, 777)
    ),
    "decode": lambda s: roofline.decode_attention(
        s, DecodeAttention(heads=8, kv_heads=1, head_dim=128, kv_dtype="fp8"), at(8, 1), *at(3, 777)
    ),
    "latent prompts": lambda s: roofline.context_latent(
        s, ContextLatent(heads=16, total=128, kv_dtype="fp8"), *at(16, 3, 777)
    ),
    "latent decode": lambda s: roofline.decode_latent(
        s, DecodeLatent(heads=16, total=128, kv_dtype="fp8"), *at(16, 3, 777)
    ),
    "latent product": lambda s: roofline.latent_product(
        s, LatentProduct(heads=16, side="pre", dtype="fp8"), *at(16, 64)
    ),
    "sparse": lambda s: roofline.sparse_latent(
        s,
        SparseLatent(phase="context", heads=8, architecture="GlmMoeDsaForCausalLM", kv_dtype="bf16", dtype="bf16"),
        *at(8, 2, 9000),
    ),
    "experts": lambda s: roofline.experts(
        s,
        ExpertProducts(
            hidden=4096, width=1536, top=8, count=128, moe_tp=2, moe_ep=4, dtype="fp8", skew="power_law_1.2"
        ),
        np.asarray(300.0),
    ),
    "all-reduce": lambda s: roofline.ring(s, Collective(kind="all_reduce", ranks=8, width=4096), np.asarray(9.0)),
    "exchange": lambda s: roofline.exchange(
        s,
        ExpertExchange(phase="decode", ranks=16, hidden=7168, top=8, count=256, dtype="fp8_block"),
        np.asarray(9.0),
    ),
    "memory": lambda s: roofline.memory(s, MemoryOp(bytes_per_token=8192.0), np.asarray(9.0)),
    "transfer": lambda s: roofline.transfer(s, Transfer(width=8192), np.asarray(9.0)),
}


@pytest.mark.parametrize("light", LIGHTS.values(), ids=LIGHTS)
@given(bandwidth=st.floats(1, 8), flops=st.floats(1, 8), links=st.floats(1, 8))
def test_more_bandwidth_or_arithmetic_never_takes_longer(
    light: Callable[[System], Array], bandwidth: float, flops: float, links: float
) -> None:
    system = hardware.system("h200_sxm", Catalog().systems()["h200_sxm"])
    gpu = replace(
        system.gpu,
        memory_bandwidth=system.gpu.memory_bandwidth * bandwidth,
        flops={name: rate * flops for name, rate in system.gpu.flops.items()},
    )
    node = replace(
        system.node,
        intra_bandwidth=system.node.intra_bandwidth * links,
        inter_bandwidth=system.node.inter_bandwidth * links,
    )

    assert 0 < light(replace(system, gpu=gpu, node=node)) <= light(system)
