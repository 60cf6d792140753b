"""What holds for every price of every operation, whoever answers for it."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from estimator import hardware, roofline
from estimator.ops import (
    Collective,
    ContextAttention,
    ContextLatent,
    ContextOp,
    DecodeAttention,
    DecodeLatent,
    DecodeOp,
    ExpertExchange,
    ExpertProducts,
    Gemm,
    LatentProduct,
    MemoryOp,
    SparseLatent,
    StateScan,
    TokenOp,
    Transfer,
)
from estimator.pricing import Mode, Prices
from estimator.quantization import EXPERTS, GEMM, KV_BYTES
from perf_db.catalog import Catalog, PackName
from perf_db.provenance import Provenance

HEADS = st.sampled_from([1, 2, 5, 8, 16, 28, 64, 128])
CACHES = st.sampled_from(sorted(KV_BYTES))
SIDES = st.sampled_from(["context", "decode"])
PACKS = [(name.system, name.backend, name.version) for name in Catalog().packs()]

gemms = st.builds(Gemm, n=st.integers(32, 200_000), k=st.integers(32, 70_000), dtype=st.sampled_from(sorted(GEMM)))
experts = st.builds(
    ExpertProducts,
    hidden=st.sampled_from([2048, 2880, 4096, 5000, 7168]),
    width=st.sampled_from([512, 768, 1536, 2048, 2880, 14336]),
    top=st.sampled_from([1, 2, 4, 8]),
    count=st.sampled_from([8, 64, 128, 256, 384]),
    moe_tp=st.sampled_from([1, 2, 8]),
    moe_ep=st.sampled_from([1, 4, 16, 64]),
    dtype=st.sampled_from(sorted(EXPERTS)),
    skew=st.sampled_from(["power_law_1.2", "power_law_1.01", "power_law_0.6", "balanced"]),
    matrices=st.sampled_from([2, 3]),
    wide=st.sampled_from([None, "context", "decode"]),
)
token_ops: st.SearchStrategy[TokenOp] = st.one_of(
    gemms,
    experts,
    st.builds(LatentProduct, heads=HEADS, side=st.sampled_from(["pre", "post"]), dtype=st.sampled_from(sorted(GEMM))),
    st.builds(
        Collective,
        kind=st.sampled_from(["all_reduce", "all_gather", "reduce_scatter", "alltoall"]),
        ranks=st.sampled_from([2, 3, 4, 8, 16, 64]),
        width=st.sampled_from([128.0, 4096.0, 57344.0]),
        variant=st.sampled_from(["graph", "eager"]),
    ),
    st.builds(
        ExpertExchange,
        phase=SIDES,
        ranks=st.sampled_from([8, 16, 48, 64]),
        hidden=st.sampled_from([4096, 7168]),
        top=st.sampled_from([4, 8]),
        count=st.sampled_from([128, 256]),
        dtype=st.sampled_from(sorted(EXPERTS)),
    ),
    st.builds(
        StateScan,
        family=st.sampled_from(["gdn", "mamba2"]),
        phase=SIDES,
        kernel=st.sampled_from(["conv", "recurrence", "scan"]),
        hidden=st.just(4096),
        key_heads=st.sampled_from([1, 4, 16]),
        key_dim=st.just(128),
        value_heads=st.sampled_from([2, 16, 64]),
        value_dim=st.sampled_from([64, 128]),
        conv=st.just(4),
    ),
    st.builds(MemoryOp, bytes_per_token=st.floats(1, 1e6)),
    st.builds(Transfer, width=st.integers(1, 20_000)),
)
sparse = st.builds(
    SparseLatent,
    phase=st.just("decode"),
    heads=HEADS,
    architecture=st.sampled_from(["DeepseekV32ForCausalLM", "GlmMoeDsaForCausalLM"]),
    kv_dtype=CACHES,
    dtype=st.sampled_from(sorted(GEMM)),
)
windows = st.sampled_from([None, 128, 1000])
decode_ops: st.SearchStrategy[DecodeOp] = st.one_of(
    st.builds(
        DecodeAttention,
        heads=HEADS,
        kv_heads=st.sampled_from([1, 2, 8]),
        head_dim=st.sampled_from([64, 96, 128, 256]),
        kv_dtype=CACHES,
        window=windows,
    ),
    st.builds(DecodeLatent, heads=HEADS, total=st.just(128), kv_dtype=CACHES),
    sparse,
)
context_ops: st.SearchStrategy[ContextOp] = st.one_of(
    st.builds(
        ContextAttention,
        heads=HEADS,
        kv_heads=st.sampled_from([1, 2, 8]),
        head_dim=st.sampled_from([64, 96, 128, 256]),
        kv_dtype=CACHES,
        arithmetic=st.sampled_from(["bf16", "fp8"]),
        window=windows,
    ),
    st.builds(ContextLatent, heads=HEADS, total=st.just(128), kv_dtype=CACHES),
)
packs = st.sampled_from(PACKS)


@cache
def price_list(pack: tuple[str, str, str], mode: Mode = "hybrid") -> Prices:
    catalog = Catalog()
    system, backend, version = pack
    name = PackName(system=system, backend=backend, version=version)
    return Prices(catalog, name, hardware.system(system, catalog.systems()[system]), mode=mode)


@given(pack=packs, op=token_ops, tokens=st.lists(st.floats(1, 5e5), min_size=1, max_size=8))
def test_every_operation_has_a_positive_price_and_a_class(
    pack: tuple[str, str, str], op: TokenOp, tokens: list[float]
) -> None:
    seconds, classes = price_list(pack).token_op(op, np.array(tokens))

    assert (seconds > 0).all()
    assert (classes >= price_list(pack).covers(op)).all()
    assert set(classes.tolist()) <= set(Provenance)


@given(pack=packs, op=decode_ops, sequences=st.floats(1, 4096), context=st.floats(2, 3e5))
def test_every_decode_attention_has_a_positive_price(
    pack: tuple[str, str, str], op: DecodeOp, sequences: float, context: float
) -> None:
    seconds, classes = price_list(pack).decode(op, np.asarray(sequences), np.array([context]))

    assert seconds.shape == classes.shape == (1,)
    assert (seconds > 0).all()


@given(pack=packs, op=context_ops, prompts=st.floats(1, 512), isl=st.floats(1, 2e5))
def test_every_prompt_attention_has_a_positive_price(
    pack: tuple[str, str, str], op: ContextOp, prompts: float, isl: float
) -> None:
    seconds, _ = price_list(pack).context(op, np.asarray(prompts), np.asarray(isl))

    assert seconds.shape == ()
    assert seconds > 0


@given(pack=packs, op=gemms, tokens=st.floats(1, 1e5))
def test_no_product_is_faster_than_light(pack: tuple[str, str, str], op: Gemm, tokens: float) -> None:
    prices = price_list(pack)

    light = roofline.gemm(prices.system, op.dtype, *map(np.asarray, (float(op.n), float(op.k), tokens)))
    assert prices.token_op(op, np.asarray(tokens))[0] >= light * (1 - 1e-12)


@given(pack=packs, op=experts, tokens=st.floats(1, 1e5))
def test_no_expert_is_faster_than_light(pack: tuple[str, str, str], op: ExpertProducts, tokens: float) -> None:
    prices = price_list(pack)

    seconds, _ = prices.token_op(op, np.asarray(tokens))

    assert seconds >= roofline.experts(prices.system, op, np.asarray(tokens)) * (1 - 1e-12)


@given(pack=packs, op=gemms)
def test_between_knots_the_price_is_a_straight_line_or_the_speed_of_light(pack: tuple[str, str, str], op: Gemm) -> None:
    prices = price_list(pack)
    knots = prices.knots(op)[:16]
    left, right = knots[:-1], knots[1:]

    start, middle, end = (prices.token_op(op, at)[0] for at in (left, (left + right) / 2, right))

    n, k = np.asarray(float(op.n)), np.asarray(float(op.k))
    at_light = roofline.gemm(prices.system, op.dtype, n, k, right) * 1.001
    above = (start > at_light) & (middle > at_light) & (end > at_light)
    assert middle[above] == pytest.approx((start[above] + end[above]) / 2)


@given(pack=packs, op=token_ops, tokens=st.floats(1, 1e5))
def test_the_shape_of_the_question_is_the_shape_of_the_answer(
    pack: tuple[str, str, str], op: TokenOp, tokens: float
) -> None:
    price = price_list(pack).token_op

    one, many = price(op, np.asarray(tokens)), price(op, np.full((2, 3), tokens))

    assert one[0].shape == ()
    assert many[0].shape == many[1].shape == (2, 3)
    assert (many[0] == one[0]).all()


@given(pack=packs, op=token_ops, tokens=st.floats(1, 1e5))
def test_analytical_prices_are_formulas_that_never_fall_with_tokens(
    pack: tuple[str, str, str], op: TokenOp, tokens: float
) -> None:
    price = price_list(pack, "analytical").token_op

    seconds, classes = price(op, np.array([tokens, 2 * tokens]))

    assert (classes == Provenance.FORMULA).all()
    assert seconds[0] <= seconds[1]
