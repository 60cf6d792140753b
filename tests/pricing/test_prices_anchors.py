"""Published sums of kernels are met by the prices of their operations alone.

AIConfigurator 0.6.0, 32 sequences per rank at context 4251, or one prompt of 4000 tokens; milliseconds over all layers.
"""

from collections.abc import Callable

import numpy as np
import pytest

from estimator.ops import ContextAttention, ContextLatent, DecodeAttention, DecodeLatent, ExpertProducts
from estimator.pricing import Prices

Shipped = Callable[[str, str], Prices]
SEQUENCES, CONTEXT, PROMPT = np.asarray(32.0), np.asarray(4251.0), np.asarray(4000.0)
ONE = np.asarray(1.0)
DEEPSEEK = ExpertProducts(
    hidden=7168, width=2048, top=8, count=256, moe_tp=1, moe_ep=8, dtype="fp8_block", skew="power_law_1.01"
)
QWEN = ExpertProducts(hidden=4096, width=1536, top=8, count=128, moe_tp=1, moe_ep=8, dtype="fp8", skew="power_law_1.2")
QWEN_SPLIT = ExpertProducts(
    hidden=4096, width=1536, top=8, count=128, moe_tp=4, moe_ep=1, dtype="fp8_block", skew="power_law_1.2"
)
GPT_OSS = ExpertProducts(
    hidden=2880, width=2880, top=4, count=128, moe_tp=1, moe_ep=1, dtype="w4a16_mxfp4", skew="power_law_1.2"
)


@pytest.mark.parametrize(
    ("heads", "decode", "prefill"), [(16, 4.041, 11.921), (128, 5.595, 71.850)], ids=["split heads", "all heads"]
)
def test_latent_attention_of_deepseek_v3_costs_what_was_published(
    shipped: Shipped, heads: int, decode: float, prefill: float
) -> None:
    prices = shipped("h200_sxm", "trtllm-1.2.0rc5")

    step = prices.decode(DecodeLatent(heads=heads, total=128, kv_dtype="fp8"), SEQUENCES, CONTEXT)[0]
    prompt = prices.context(ContextLatent(heads=heads, total=128, kv_dtype="fp8"), ONE, PROMPT)[0]

    assert float(step) * 61e3 == pytest.approx(decode, rel=0.001)
    assert float(prompt) * 61e3 == pytest.approx(prefill, rel=0.012)


@pytest.mark.parametrize(
    ("pack", "op", "layers", "tokens", "published"),
    [
        ("trtllm-1.2.0rc5", DEEPSEEK, 61, 32, 14.239),
        ("trtllm-1.2.0rc5", DEEPSEEK, 61, 256, 25.355),
        ("trtllm-1.2.0rc5", DEEPSEEK, 61, 4000, 73.110),
        ("trtllm-1.2.0rc5", DEEPSEEK, 61, 32000, 446.447),
        ("vllm-0.12.0", QWEN, 94, 32, 15.323),
        ("vllm-0.12.0", QWEN, 94, 4000, 150.228),
        ("trtllm-1.2.0rc5", QWEN_SPLIT, 94, 32, 17.421),
        ("trtllm-1.2.0rc5", QWEN_SPLIT, 94, 4000, 157.916),
        ("trtllm-1.2.0rc5", GPT_OSS, 36, 32, 9.228),
        ("trtllm-1.2.0rc5", GPT_OSS, 36, 4000, 127.050),
    ],
)
def test_experts_cost_what_was_published(
    shipped: Shipped, pack: str, op: ExpertProducts, layers: int, tokens: float, published: float
) -> None:
    seconds, _ = shipped("h200_sxm", pack).token_op(op, np.asarray(tokens))

    assert float(seconds) * layers * 1e3 == pytest.approx(published, rel=0.001)


@pytest.mark.parametrize(
    ("system", "pack", "heads", "arithmetic", "layers", "decode", "prefill"),
    [
        ("h200_sxm", "vllm-0.12.0", (8, 1), "bf16", 94, 5.049, 9.646),
        ("h200_sxm", "trtllm-1.2.0rc5", (16, 1), "fp8", 94, 2.346, 13.117),
        ("h100_sxm", "trtllm-1.2.0rc5", (16, 2), "fp8", 80, 2.451, 11.362),
    ],
    ids=["Qwen3-235B", "Qwen3-235B, split", "Llama-3.1-70B"],
)
def test_attention_costs_what_was_published(  # noqa: PLR0913 - a row of the published table
    *,
    shipped: Shipped,
    system: str,
    pack: str,
    heads: tuple[int, int],
    arithmetic: str,
    layers: int,
    decode: float,
    prefill: float,
) -> None:
    prices, (query, key_value) = shipped(system, pack), heads
    step = DecodeAttention(heads=query, kv_heads=key_value, head_dim=128, kv_dtype="fp8")
    prompt = ContextAttention(heads=query, kv_heads=key_value, head_dim=128, kv_dtype="fp8", arithmetic=arithmetic)

    assert float(prices.decode(step, SEQUENCES, CONTEXT)[0]) * layers * 1e3 == pytest.approx(decode, rel=0.001)
    assert float(prices.context(prompt, ONE, PROMPT)[0]) * layers * 1e3 == pytest.approx(prefill, rel=0.012)


def test_half_of_gpt_oss_attends_within_a_window(shipped: Shipped) -> None:
    prices = shipped("h200_sxm", "trtllm-1.2.0rc5")

    step = prompt = 0.0
    for window in (None, 128):
        decode = DecodeAttention(heads=64, kv_heads=8, head_dim=64, kv_dtype="fp8", window=window)
        context = ContextAttention(heads=64, kv_heads=8, head_dim=64, kv_dtype="fp8", arithmetic="fp8", window=window)
        step += 18e3 * float(prices.decode(decode, SEQUENCES, CONTEXT)[0])
        prompt += 18e3 * float(prices.context(context, ONE, PROMPT)[0])

    assert step == pytest.approx(1.047, rel=0.001)
    assert prompt == pytest.approx(14.255, rel=0.012)
