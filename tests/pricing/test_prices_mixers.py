"""Latent attention, exchanges between experts' GPUs, and kernels with a state, from rows of every layout."""

from collections.abc import Callable

import numpy as np
import pytest

from estimator import roofline
from estimator.hardware import System
from estimator.ops import ContextLatent, DecodeLatent, ExpertExchange, LatentProduct, SparseLatent, StateScan
from estimator.pricing import Prices
from perf_db.provenance import Provenance
from perf_db.table import Table

Block = Callable[..., Table]
Invented = Callable[..., Prices]
DECODE = DecodeLatent(heads=16, total=128, kv_dtype="bf16")
ONE, LONG = np.asarray(1.0), np.asarray(4096.0)
SCAN = StateScan(
    family="gdn", phase="decode", kernel="recurrence", hidden=4096, key_heads=4, key_dim=128, value_heads=16,
    value_dim=128, conv=4,
)  # fmt: skip
EXCHANGE = ExpertExchange(phase="context", ranks=8, hidden=7168, top=8, count=256, dtype="fp8_block")


def latent_rows(block: Block, microseconds: float, kv_dtype: str = "bf16") -> Table:
    """Bare decode kernels that all take the same time."""
    return block(
        "generation_mla",
        lambda **_: microseconds,
        mla_dtype=("bf16",),
        kv_cache_dtype=(kv_dtype,),
        num_heads=(16, 128),
        batch_size=(1, 64),
        context=(2, 4096),
    )


def module_rows(block: Block, microseconds: float) -> Table:
    """Whole decode blocks, projections included."""
    return block(
        "mla_generation_module",
        lambda **_: microseconds,
        architecture=("DeepseekV3ForCausalLM",),
        model=("DeepSeek-V3",),
        mla_dtype=("bf16",),
        kv_cache_dtype=("bf16",),
        gemm_type=("bf16", "fp8_block"),
        num_heads=(16, 128),
        batch_size=(1, 64),
        context=(2, 4096),
    )


def projections(block: Block, microseconds: float) -> list[Table]:
    """Products that all take the same time, whatever their shape."""
    gemm = block("gemm", lambda **_: microseconds, gemm_dtype=("bf16",), n=(64, 65536), k=(64, 65536), m=(1, 64))
    sides = ("mla_gen_post", "mla_gen_pre")
    batched = block(
        "mla_bmm",
        lambda **_: microseconds,
        op_name=sides,
        bmm_dtype=("bf16",),
        num_heads=(16, 128),
        num_tokens=(1, 64),
    )
    return [gemm, batched]


def test_an_engine_without_the_bare_kernel_has_its_block_less_the_projections(invented: Invented, block: Block) -> None:
    prices = invented({"vllm-2.0": [module_rows(block, 700.0), *projections(block, 100.0)]})

    seconds, classes = prices.decode(DECODE, ONE, LONG)

    # Down, queries up, output, and two batched products.
    assert seconds == pytest.approx(200e-6, rel=2e-3)
    assert classes == Provenance.INTERPOLATED


def test_a_block_is_never_less_than_the_bare_kernels_speed_of_light(
    invented: Invented, block: Block, h200: System
) -> None:
    prices = invented({"vllm-2.0": [module_rows(block, 700.0), *projections(block, 1000.0)]})

    light = roofline.decode_latent(h200, DECODE, np.asarray(16.0), ONE, LONG)

    assert prices.decode(DECODE, ONE, LONG)[0] == pytest.approx(float(light))


def test_an_engines_own_block_goes_before_another_engines_kernel(invented: Invented, block: Block) -> None:
    own = [module_rows(block, 700.0), *projections(block, 100.0)]
    prices = invented({"vllm-2.0": own, "sglang-2.0": [latent_rows(block, 50.0)]})

    assert prices.covers(DECODE) == Provenance.INTERPOLATED


def test_the_bare_kernel_goes_before_the_block(invented: Invented, block: Block) -> None:
    prices = invented({"trtllm-2.0": [latent_rows(block, 50.0), module_rows(block, 700.0)]})

    seconds, classes = prices.decode(DECODE, ONE, LONG)

    assert seconds == pytest.approx(50e-6, rel=1e-3)
    assert classes == Provenance.MEASURED


def test_prompts_without_latent_rows_are_a_formula_and_not_ordinary_attention(
    invented: Invented, block: Block, h200: System
) -> None:
    ordinary = block(
        "context_attention",
        lambda **_: 1.0,
        attn_dtype=("bf16",),
        kv_cache_dtype=("bf16",),
        head_dim=(128,),
        num_key_value_heads=(16,),
        num_heads=(16,),
        batch_size=(1, 8),
        isl=(1, 4096),
    )
    op = ContextLatent(heads=16, total=128, kv_dtype="bf16")

    seconds, classes = invented({"vllm-2.0": [ordinary]}).context(op, ONE, LONG)

    assert seconds == pytest.approx(float(roofline.context_latent(h200, op, np.asarray(16.0), ONE, LONG)) / 0.6)
    assert classes == Provenance.FORMULA


def test_an_engine_that_measured_16_bit_products_only_runs_them_in_16_bits(invented: Invented, block: Block) -> None:
    prices = invented({"vllm-2.0": projections(block, 100.0)})

    seconds, classes = prices.token_op(LatentProduct(heads=16, side="pre", dtype="fp8_block"), np.asarray(64.0))

    assert seconds == pytest.approx(100e-6, rel=1e-3)
    assert classes == Provenance.MEASURED


def test_sparse_blocks_are_looked_up_with_their_index_run_and_no_past(invented: Invented, block: Block) -> None:
    rows = block(
        "dsa_context_module",
        lambda indexer, past, **_: 1000.0 if (indexer, past) == ("run", 0) else 1.0,
        architecture=("DeepseekV32ForCausalLM",),
        model=("DeepSeek-V3.2",),
        indexer=("run", "skipped"),
        mla_dtype=("bf16",),
        kv_cache_dtype=("bf16",),
        gemm_type=("bf16",),
        num_heads=(16, 128),
        batch_size=(1, 2),
        past=(0, 128),
        isl=(1, 512),
    )
    op = SparseLatent(phase="context", heads=16, architecture="DeepseekV32ForCausalLM", kv_dtype="bf16", dtype="bf16")

    seconds, classes = invented({"sglang-2.0": [rows]}).context(op, ONE, np.asarray(512.0))

    assert seconds == pytest.approx(1e-3, rel=1e-3)
    assert classes == Provenance.MEASURED


def deepep(block: Block, **other: object) -> Table:
    """A dispatch of 30 us and a combine of 50."""
    keys = {
        "phase": ("combine", "dispatch"),
        "node_num": (1,),
        "hidden_size": (7168,),
        "num_topk": (8,),
        "num_experts": (256,),
        "sms": (20, 24),
        "num_token": (1, 4096),
    } | other
    return block(
        "wideep_deepep_normal", lambda phase, sms, **_: (50 if phase == "combine" else 30) + (sms - 20), **keys
    )


def test_tokens_travel_there_and_back(invented: Invented, block: Block) -> None:
    seconds, classes = invented({"sglang-2.0": [deepep(block)]}).token_op(EXCHANGE, np.array([1.0, 4096.0]))

    assert seconds == pytest.approx([80e-6, 80e-6], rel=1e-3)
    assert (classes == Provenance.MEASURED).all()


def test_more_nodes_than_were_measured_are_an_extrapolation(invented: Invented, block: Block) -> None:
    prices = invented({"sglang-2.0": [deepep(block)]})
    far = ExpertExchange(phase="context", ranks=32, hidden=7168, top=8, count=256, dtype="fp8_block")

    seconds, _ = prices.token_op(far, np.asarray(1.0))

    # The launch stays; leaving the node is two hops of 10 us.
    assert seconds == pytest.approx(100e-6, rel=1e-3)
    assert prices.covers(far) == Provenance.EXTRAPOLATED


def test_another_models_exchange_is_a_loan(invented: Invented, block: Block) -> None:
    prices = invented({"sglang-2.0": [deepep(block, hidden_size=(4096,))]})

    assert prices.covers(EXCHANGE) == Provenance.TRANSFERRED


def states(block: Block, value_heads: int) -> Table:
    """Recurrences that take 10 us a sequence."""
    return block(
        "gdn",
        lambda batch_size, **_: 10.0 * batch_size,
        part=("recurrence",),
        kernel=("fused",),
        phase=("generation",),
        num_k_heads=(4,),
        num_v_heads=(value_heads,),
        head_k_dim=(128,),
        head_v_dim=(128,),
        d_conv=(4,),
        batch_size=(1, 8),
        seq_len=(1,),
    )


def test_states_are_priced_along_the_decoding_sequences(invented: Invented, block: Block) -> None:
    seconds, classes = invented({"sglang-2.0": [states(block, 16)]}).token_op(SCAN, np.array([1.0, 4.0]))

    assert seconds == pytest.approx([10e-6, 40e-6], rel=1e-3)
    assert classes.tolist() == [Provenance.MEASURED, Provenance.INTERPOLATED]


def test_heads_that_were_not_measured_take_the_nearest_by_the_bytes_of_their_states(
    invented: Invented, block: Block
) -> None:
    prices = invented({"sglang-2.0": [states(block, 32)]})

    seconds, classes = prices.token_op(SCAN, np.asarray(1.0))

    # Per head a 128 x 128 state both ways and 128 values; keys of four heads beside them.
    own, measured = (2 * 2 * (heads * 128 * 128 + (4 + heads) * 128) for heads in (16, 32))
    assert seconds == pytest.approx(10e-6 * own / measured, rel=1e-3)
    assert classes == Provenance.TRANSFERRED
