"""Our prices, put together by the published closed form of AIConfigurator 0.6.0, give its published results.

The closed form lives here and not in the product: it has fixed factors where the product has physics. What these tests
show is that every operation has the right shape, count and price.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from estimator import catalogue, hardware
from estimator.backends import registry
from estimator.layers import model as layers
from estimator.layers.parts import Phase
from estimator.ops import Collective, ContextAttention, DecodeAttention, Gemm, MemoryOp, Placed
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.shape import Shape
from perf_db.catalog import Catalog, PackName
from tests.pricing.dtypes import all_in

ISL, OSL = 4000, 500
MIDDLE = ISL + OSL // 2 + 1
LEFT_OUT = {"embedding all-reduce", "rope and cache write", "rope", "cache write", "q/k norm"}
"""Operations that the closed form does not know."""
WEIGHTS_8_BIT = all_in("fp8", "fp8")


@pytest.fixture(scope="module")
def prices() -> Prices:
    catalog = Catalog()
    system = hardware.system("h200_sxm", catalog.systems()["h200_sxm"])
    return Prices(catalog, PackName(system="h200_sxm", backend="vllm", version="0.12.0"), system)


@dataclass(frozen=True)
class ClosedForm:
    """Seconds of the two kinds of step, as the closed form composes them."""

    prices: Prices
    tp: int

    def parts(self, phase: Phase, tokens: int, sequences: int, context: float = MIDDLE) -> dict[str, float]:
        shape = Shape(
            model=catalogue.load("Qwen/Qwen3-32B-FP8"),
            parallel=Parallel(tp=self.tp),
            dtypes=WEIGHTS_8_BIT,
            engine=registry.engine("vllm"),
            system=self.prices.system,
        )
        found = {}
        for placed in layers.operations(shape, phase):
            if placed.name not in LEFT_OUT:
                found[placed.name] = placed.count * self._seconds(placed, phase, (tokens, sequences), context)
        return found

    def _seconds(self, placed: Placed, phase: str, work: tuple[int, int], context: float) -> float:
        tokens, sequences = work
        match placed.op:
            case DecodeAttention() as op:
                if not sequences:
                    return 0.0
                return float(self.prices.decode(op, np.array(sequences), np.array(context))[0])
            case ContextAttention() as op:
                prompts = math.ceil(tokens / ISL)
                return float(self.prices.context(op, np.array(prompts), np.array(ISL))[0])
            case Collective() as op:
                captured = replace(op, variant="graph")
                return float(self.prices.token_op(captured, np.array([tokens + sequences]))[0][0])
            case Gemm() | MemoryOp() as op:
                rows = tokens + sequences
                if placed.role == "head" and phase == "prefill":
                    rows = 1
                return float(self.prices.token_op(op, np.array([rows]))[0][0])
            case other:
                raise AssertionError(f"a dense model runs no {other}")

    def decode(self, sequences: int, context: float = MIDDLE) -> float:
        return sum(self.parts("decode", 0, sequences, context).values())

    def mixed(self, tokens: int, sequences: int) -> float:
        return sum(self.parts("prefill", tokens, sequences).values())


def aggregated(form: ClosedForm, batch: int, budget: int) -> dict[str, float]:
    steps = math.ceil(ISL * batch / budget)
    mixed = form.mixed(budget, batch - math.ceil(budget / ISL))
    decode = form.decode(batch)
    counted, decodes = max(1, steps - 3), OSL - steps
    itl = (mixed * counted + decode * decodes) / (counted + decodes)
    rate = batch / (steps * mixed + decodes * decode)
    ttft = mixed * math.ceil(ISL / budget) * min(2 + (steps - 3) / 20, 4)
    return {
        "tokens_per_gpu": rate * (OSL - 1) / form.tp,
        "tokens_per_user": 1 / itl,
        "ttft_ms": ttft * 1e3,
        "request_ms": (ttft + itl * (OSL - 1)) * 1e3,
    }


@pytest.mark.parametrize(
    ("tp", "batch", "budget", "published"),
    [
        (2, 14, 4000, (397.31, 60.66, 509.14, 8734.68)),
        (4, 24, 4000, (349.90, 60.98, 412.58, 8596.28)),
        (8, 32, 8000, (235.62, 62.71, 482.57, 8439.41)),
    ],
)
def test_aggregated_rows_of_the_customers_table_are_met(
    prices: Prices, tp: int, batch: int, budget: int, published: tuple[float, ...]
) -> None:
    found = aggregated(ClosedForm(prices, tp), batch, budget)

    assert tuple(found.values()) == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize(
    ("prefill", "decode", "batch", "published"),
    [
        ((2, 2), (1, 4), 60, (521.77, 76.96, 388.11, 6871.61)),
        ((1, 2), (1, 2), 40, (521.77, 63.29, 388.11, 8272.31)),
        ((1, 2), (6, 1), 7, (260.89, 62.81, 388.11, 8332.18)),
    ],
)
def test_disaggregated_rows_of_the_customers_table_are_met(
    prices: Prices,
    prefill: tuple[int, int],
    decode: tuple[int, int],
    batch: int,
    published: tuple[float, ...],
) -> None:
    (prefills, prefill_tp), (decodes, decode_tp) = prefill, decode
    prompt = ClosedForm(prices, prefill_tp).mixed(ISL, 0) * 1.1
    form = ClosedForm(prices, decode_tp)
    itl = float(np.mean([form.decode(batch, ISL + step + 1) for step in range(0, OSL - 1, 32)])) * 1.08
    rate = min(0.9 * prefills / prompt, 0.92 * decodes * batch / (itl * (OSL - 1)))
    ttft = 1.8 * prompt

    gpus = prefills * prefill_tp + decodes * decode_tp
    found = (rate * OSL / gpus, 1 / itl, ttft * 1e3, (ttft + itl * (OSL - 1)) * 1e3)
    assert found == pytest.approx(published, rel=0.03)


DECODE_MS = {
    "qkv": 1.3258, "decode attention": 3.2637, "o_proj": 1.2368, "gate_up": 3.0010, "activation": 0.2099,
    "down": 2.0775, "head": 0.1951, "attention norm": 0.2016, "ffn norm": 0.2016, "attention all-reduce": 0.3110,
    "ffn all-reduce": 0.3110, "embedding": 0.0030,
}  # fmt: skip
PREFILL_MS = {
    "qkv": 20.8317, "context attention": 20.2574, "o_proj": 16.6811, "gate_up": 55.0345, "activation": 5.3120,
    "down": 50.3429, "head": 0.1934, "attention norm": 2.9227, "ffn norm": 2.9227, "attention all-reduce": 10.7502,
    "ffn all-reduce": 10.7502, "embedding": 0.0137,
}  # fmt: skip


@pytest.mark.parametrize("name", DECODE_MS)
def test_every_decode_operation_costs_what_the_reference_says(prices: Prices, name: str) -> None:
    found = ClosedForm(prices, 2).parts("decode", 0, 14)

    assert set(found) == set(DECODE_MS)
    # The embedding's published figure has two digits; everything else agrees to the data's own resolution.
    assert found[name] * 1e3 == pytest.approx(DECODE_MS[name], rel=0.01, abs=5e-5)


@pytest.mark.parametrize("name", PREFILL_MS)
def test_every_prefill_operation_costs_what_the_reference_says(prices: Prices, name: str) -> None:
    found = ClosedForm(prices, 2).parts("prefill", ISL, 0)

    assert set(found) - {"decode attention"} == set(PREFILL_MS)
    assert found[name] * 1e3 == pytest.approx(PREFILL_MS[name], rel=0.01, abs=5e-5)


@pytest.mark.parametrize(
    ("tp", "batch", "decode_ms", "prefill_ms"),
    [(2, 14, 12.338, 196.012), (4, 24, 11.156, 131.119), (8, 32, 11.483, 98.231)],
)
def test_whole_steps_cost_what_the_reference_says(
    prices: Prices, tp: int, batch: int, decode_ms: float, prefill_ms: float
) -> None:
    form = ClosedForm(prices, tp)

    assert form.decode(batch) * 1e3 == pytest.approx(decode_ms, rel=0.01)
    assert form.mixed(ISL, 0) * 1e3 == pytest.approx(prefill_ms, rel=0.01)


@pytest.mark.parametrize(
    ("sequences", "ms"),
    [(1, 9.927), (2, 10.025), (4, 10.346), (8, 11.155), (14, 12.338), (28, 13.815), (56, 15.963), (112, 23.488)],
)
def test_decode_steps_grow_with_the_batch_as_the_reference_says(prices: Prices, sequences: int, ms: float) -> None:
    assert ClosedForm(prices, 2).decode(sequences) * 1e3 == pytest.approx(ms, rel=0.01)
