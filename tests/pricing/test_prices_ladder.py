"""Who answers for an operation: own rows, other versions, other engines, relatives, formulas; in that order."""

from collections.abc import Callable

import numpy as np
import pytest

from estimator import roofline
from estimator.errors import MissingTable
from estimator.hardware import System
from estimator.ops import Collective, DecodeAttention, ExpertProducts, Gemm, MemoryOp
from estimator.pricing import Prices
from perf_db.provenance import Provenance
from perf_db.table import Table

Block = Callable[..., Table]
Invented = Callable[..., Prices]
SITE = Gemm(n=1024, k=2048, dtype="fp8")
TOKENS = np.array([1.0, 64.0])
EXPERTS = ExpertProducts(
    hidden=2048, width=768, top=8, count=128, moe_tp=2, moe_ep=1, dtype="fp8", skew="power_law_1.2"
)
"""Shapes of Qwen3-30B-A3B, split over two ranks."""


@pytest.fixture
def gemm(block: Block) -> Callable[..., Table]:
    """A GEMM table in which everything takes the same time."""

    def make(microseconds: float, dtype: str = "fp8") -> Table:
        sites = {"n": (1024, 2048), "k": (1024, 2048), "m": (1, 64)}
        return block("gemm", lambda **_: microseconds, gemm_dtype=(dtype,), **sites)

    return make


@pytest.fixture
def moe(block: Block) -> Callable[..., Table]:
    """Expert rows for the splits named, of one shape and type; *microseconds*: of (moe_tp, moe_ep)."""

    def make(microseconds: Callable[[int, int], float], splits: tuple[tuple[int, int], ...], **other: object) -> Table:
        keys = {
            "moe_dtype": ("fp8",),
            "distribution": ("power_law_1.2",),
            "hidden_size": (2048,),
            "inter_size": (768,),
            "topk": (8,),
            "num_experts": (128,),
            "moe_tp_size": sorted({tp for tp, _ in splits}),
            "moe_ep_size": sorted({ep for _, ep in splits}),
            "num_tokens": (1, 64),
        } | other

        def time(moe_tp_size: int, moe_ep_size: int, **_: object) -> float:
            known = (moe_tp_size, moe_ep_size) in splits
            return microseconds(moe_tp_size, moe_ep_size) if known else float("nan")

        return block("moe", time, **keys)

    return make


def test_own_rows_answer_before_any_other(invented: Invented, gemm: Callable[..., Table]) -> None:
    prices = invented({"vllm-2.0": [gemm(10)], "vllm-1.0": [gemm(20)], "sglang-9.0": [gemm(30)]})

    seconds, classes = prices.token_op(SITE, TOKENS)

    assert seconds == pytest.approx([10e-6, 10e-6], rel=1e-3)
    assert (classes == Provenance.MEASURED).all()


def test_another_version_answers_before_another_engine(invented: Invented, gemm: Callable[..., Table]) -> None:
    prices = invented({"vllm-2.0": [gemm(10, "bf16")], "vllm-1.0": [gemm(20)], "sglang-9.0": [gemm(30)]})

    seconds, classes = prices.token_op(SITE, TOKENS)

    assert seconds == pytest.approx([20e-6, 20e-6], rel=1e-3)
    assert (classes == Provenance.REUSED).all()


def test_the_version_nearest_in_age_answers_first_older_before_newer(
    invented: Invented, gemm: Callable[..., Table]
) -> None:
    prices = invented({"vllm-2.0": [], "vllm-1.0": [gemm(10)], "vllm-1.9": [gemm(19)], "vllm-3.0": [gemm(30)]})

    assert prices.token_op(SITE, TOKENS)[0] == pytest.approx([19e-6, 19e-6], rel=1e-3)


def test_another_engines_newest_rows_answer_before_another_type(invented: Invented, gemm: Callable[..., Table]) -> None:
    prices = invented({"vllm-2.0": [gemm(10, "bf16")], "sglang-8.0": [gemm(25)], "sglang-9.0": [gemm(30)]})

    seconds, classes = prices.token_op(SITE, TOKENS)

    assert seconds == pytest.approx([30e-6, 30e-6], rel=1e-3)
    assert (classes == Provenance.SIBLING).all()


def test_another_type_lends_its_utilisation_at_the_ratio_of_typical_ones(
    invented: Invented, gemm: Callable[..., Table], h200: System
) -> None:
    prices = invented({"vllm-2.0": [gemm(10, "bf16")]})

    seconds, classes = prices.token_op(SITE, np.asarray(64.0))

    own, lent = (roofline.gemm(h200, dtype, *map(np.asarray, (1024.0, 2048.0, 64.0))) for dtype in ("fp8", "bf16"))
    assert seconds == pytest.approx(10e-6 * own / lent * 0.70 / 0.45, rel=1e-3)
    assert classes == Provenance.TRANSFERRED


def test_without_any_rows_the_roofline_at_a_typical_share_answers(invented: Invented, h200: System) -> None:
    prices = invented({"vllm-2.0": []})

    seconds, classes = prices.token_op(SITE, TOKENS)

    assert seconds == pytest.approx(roofline.gemm(h200, "fp8", np.asarray(1024.0), np.asarray(2048.0), TOKENS) / 0.45)
    assert (classes == Provenance.FORMULA).all()
    assert prices.covers(SITE) == Provenance.FORMULA


def test_measured_mode_refuses_what_was_not_measured(invented: Invented, gemm: Callable[..., Table]) -> None:
    prices = invented({"vllm-2.0": [gemm(10, "bf16")]}, mode="measured")

    with pytest.raises(MissingTable, match=r"Gemm.*vllm-2\.0.*fp8"):
        prices.token_op(SITE, TOKENS)


def test_measured_mode_still_counts_elementwise_bytes(invented: Invented) -> None:
    prices = invented({"vllm-2.0": []}, mode="measured")

    assert prices.token_op(MemoryOp(bytes_per_token=1000.0), TOKENS)[1].tolist() == [Provenance.FORMULA] * 2


def test_analytical_mode_ignores_measurements(invented: Invented, gemm: Callable[..., Table]) -> None:
    prices = invented({"vllm-2.0": [gemm(10)]}, mode="analytical")

    assert (prices.token_op(SITE, TOKENS)[1] == Provenance.FORMULA).all()


def test_static_scaling_costs_less_by_the_measured_scale(
    invented: Invented, gemm: Callable[..., Table], block: Block
) -> None:
    scale = block("computescale", lambda **_: 4.0, quant_dtype=("fp8",), k=(1024, 2048), m=(1, 64))
    prices = invented({"trtllm-2.0": [gemm(10), scale]})

    seconds, classes = prices.token_op(Gemm(n=1024, k=2048, dtype="fp8_static"), TOKENS)

    assert seconds == pytest.approx([6e-6, 6e-6], rel=1e-3)
    assert (classes == Provenance.MEASURED).all()


def test_another_split_takes_own_rows_at_another_engines_ratio(invented: Invented, moe: Callable[..., Table]) -> None:
    own = moe(lambda _tp, _ep: 300.0, ((1, 1),))
    other = moe(lambda tp, _ep: 100.0 / tp, ((1, 1), (2, 1)))
    prices = invented({"trtllm-2.0": [own], "vllm-2.0": [other]})

    seconds, classes = prices.token_op(EXPERTS, TOKENS)

    assert seconds == pytest.approx([150e-6, 150e-6], rel=1e-3)
    assert (classes == Provenance.TRANSFERRED).all()


def test_measured_mode_takes_the_other_engines_rows_themselves(invented: Invented, moe: Callable[..., Table]) -> None:
    own = moe(lambda _tp, _ep: 300.0, ((1, 1),))
    other = moe(lambda tp, _ep: 100.0 / tp, ((1, 1), (2, 1)))
    prices = invented({"trtllm-2.0": [own], "vllm-2.0": [other]}, mode="measured")

    seconds, classes = prices.token_op(EXPERTS, TOKENS)

    assert seconds == pytest.approx([50e-6, 50e-6], rel=1e-3)
    assert (classes == Provenance.SIBLING).all()


def test_another_split_that_nobody_measured_keeps_the_utilisation(
    invented: Invented, moe: Callable[..., Table], h200: System
) -> None:
    prices = invented({"trtllm-2.0": [moe(lambda _tp, _ep: 3000.0, ((1, 1),))]})

    seconds, classes = prices.token_op(EXPERTS, np.asarray(64.0))

    whole = ExpertProducts(
        hidden=2048, width=768, top=8, count=128, moe_tp=1, moe_ep=1, dtype="fp8", skew="power_law_1.2"
    )
    asked, known = (roofline.experts(h200, op, np.asarray(64.0)) for op in (EXPERTS, whole))
    assert seconds == pytest.approx(3000e-6 * asked / known, rel=1e-3)
    assert classes == Provenance.EXTRAPOLATED


def test_another_shape_of_experts_is_a_loan(invented: Invented, moe: Callable[..., Table]) -> None:
    prices = invented({"trtllm-2.0": [moe(lambda _tp, _ep: 3000.0, ((2, 1),), inter_size=(512, 1024))]})

    assert prices.covers(EXPERTS) == Provenance.TRANSFERRED


def test_few_tokens_in_four_bits_run_the_low_latency_kernel(invented: Invented, moe: Callable[..., Table]) -> None:
    def tables(kernel: str, microseconds: float) -> Table:
        return moe(
            lambda _tp, _ep: microseconds, ((2, 1),), moe_dtype=("nvfp4",), kernel=(kernel,), num_tokens=(64, 256)
        )

    both = _joined(tables("flow_cutlass", 70.0), tables("flow_min_latency", 50.0))
    prices = invented({"trtllm-2.0": [both]})
    op = ExpertProducts(
        hidden=2048, width=768, top=8, count=128, moe_tp=2, moe_ep=1, dtype="nvfp4", skew="power_law_1.2"
    )

    assert prices.token_op(op, np.array([64.0, 256.0]))[0] == pytest.approx([50e-6, 70e-6], rel=1e-3)


def test_one_rank_has_nothing_to_reduce(invented: Invented) -> None:
    seconds, classes = invented({"vllm-2.0": []}).token_op(Collective(kind="all_reduce", ranks=1, width=4096.0), TOKENS)

    assert seconds.tolist() == [0.0, 0.0]
    assert (classes == Provenance.MEASURED).all()


def test_a_group_beyond_the_node_pays_its_links_for_bytes_and_not_for_the_launch(
    invented: Invented, block: Block
) -> None:
    rows = block(
        "custom_allreduce",
        lambda message_size, **_: 5.0 + message_size / 1000,
        allreduce_dtype=("bf16",),
        num_gpus=(2, 8),
        variant=("graph",),
        message_size=(0, 1_000_000),
    )
    prices = invented({"vllm-2.0": [rows]})

    seconds, classes = prices.token_op(Collective(kind="all_reduce", ranks=16, width=1000.0), np.array([1e-9, 1000.0]))

    # Two hops of 10 us; 15/16 instead of 7/8 of the bytes at 50 instead of 450 GB/s.
    assert seconds == pytest.approx([25e-6, (25 + 1000 * (15 / 16) / (7 / 8) * 9) * 1e-6], rel=1e-3)
    assert (classes == Provenance.EXTRAPOLATED).all()


def test_decode_without_rows_for_its_window_costs_a_cache_of_that_length(invented: Invented, block: Block) -> None:
    rows = block(
        "generation_attention",
        lambda context, **_: 10.0 + context / 100,
        attn_dtype=("bf16",),
        kv_cache_dtype=("bf16",),
        head_dim=(128,),
        window_size=(0,),
        num_key_value_heads=(1,),
        num_heads=(8,),
        batch_size=(1, 2),
        context=(2, 1001, 8192),
    )
    prices = invented({"vllm-2.0": [rows]})
    op = DecodeAttention(heads=8, kv_heads=1, head_dim=128, kv_dtype="bf16", window=1000)

    seconds, classes = prices.decode(op, np.asarray(1.0), np.array([1001.0, 8192.0]))

    assert seconds == pytest.approx([20.01e-6, 20.01e-6], rel=1e-3)
    assert (classes == Provenance.TRANSFERRED).all()


def _joined(one: Table, other: Table) -> Table:
    """Two tables of one shape whose first differing column comes first in order."""
    columns = {}
    for name, column in one.columns.items():
        values = sorted({*column.values, *other.columns[name].values})
        codes = [
            np.array([values.index(own.values[code]) for code in own.codes]) for own in (column, other.columns[name])
        ]
        columns[name] = type(column)(values=tuple(values), codes=np.concatenate(codes).astype(np.int16))
    order = np.lexsort([column.codes for column in reversed(columns.values())])
    seconds = np.concatenate([one.seconds, other.seconds])
    classes = np.concatenate([one.provenance, other.provenance])
    return Table(name=one.name, columns=columns, seconds=seconds, provenance=classes).take(order)
