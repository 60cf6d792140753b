"""Every operation of Qwen3-32B costs what the reference formulas make of the same table, at every tensor size.

The formulas are worked out here a second time, in plain Python over the table's rows: nested linear products, linear
reductions, attention linear in batch and context (prompts: in the square root of time), bytes over bandwidth.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from estimator import catalogue, hardware
from estimator.backends import registry
from estimator.hardware import System
from estimator.layers import model as layers
from estimator.ops import Collective, ContextAttention, DecodeAttention, Gemm, MemoryOp, Placed
from estimator.parallelism import Parallel
from estimator.pricing import Prices
from estimator.shape import Shape
from perf_db.catalog import Catalog, PackName
from perf_db.table import Table
from tests.pricing.dtypes import all_in

CATALOG = Catalog()
NAME = PackName(system="h200_sxm", backend="vllm", version="0.12.0")
PACK = CATALOG.open(NAME)
H200: System = hardware.system("h200_sxm", CATALOG.systems()["h200_sxm"])
TYPES = all_in("fp8", "fp8")
TOKENS, BATCH, CONTEXT, PROMPT = 1500.0, 7.0, 3000.0, 4000.0
Points = Mapping[tuple[float, ...], float]


def rows(table: str, *axes: str, **fixed: str | float) -> Points:
    found = PACK.table(table)
    assert isinstance(found, Table)
    kept = found.where(**fixed)
    columns = [np.array(kept.columns[axis].values, float)[kept.columns[axis].codes] for axis in axes]
    return dict(zip(zip(*(column.tolist() for column in columns), strict=True), kept.seconds.tolist(), strict=True))


def nested(points: Points, at: tuple[float, ...], bend: Callable[[float], float] = lambda y: y) -> float:
    """Linear in every coordinate, the last one outermost; *bend* is applied before and undone by squaring if it is
    the square root."""
    if not at:
        return points[()]
    value, places = at[-1], sorted({key[-1] for key in points})
    low, high = max(p for p in places if p <= value), min(p for p in places if p >= value)
    ends = [nested({k[:-1]: y for k, y in points.items() if k[-1] == place}, at[:-1]) for place in (low, high)]
    share = 0.0 if low == high else (value - low) / (high - low)
    blend = (1 - share) * bend(ends[0]) + share * bend(ends[1])
    return blend**2 if bend is math.sqrt else blend


def light(op: Gemm, n: float, m: float) -> float:
    stored, peak = (2, "bf16") if op.dtype == "bf16" else (1, "fp8")
    moved = (stored * n * op.k + 2 * m * (n + op.k)) / H200.gpu.memory_bandwidth
    return max(2 * m * n * op.k / H200.gpu.flops[peak], moved)


def reference(op: object, x: float) -> float:
    match op:
        case Gemm():
            inside = min(op.n, 65536)
            found = nested(rows("gemm", "m", "k", "n", gemm_dtype=op.dtype), (x, op.k, inside))
            return found * light(op, op.n, x) / light(op, inside, x)
        case Collective():
            fixed: dict[str, str | float] = {"num_gpus": op.ranks, "allreduce_dtype": "bf16"}
            small = op.variant == "eager" and x * op.width < 4 * 2**20
            points = rows("custom_allreduce", "message_size", **fixed, variant="eager" if small else "graph")
            return nested(points, (x * op.width,))
        case DecodeAttention():
            points = rows("generation_attention", "batch_size", "context", **attention(op))
            return nested(points, (BATCH, CONTEXT))
        case ContextAttention():
            points = rows("context_attention", "batch_size", "isl", **attention(op))
            return nested({key: y for key, y in points.items() if key[0] == 1}, (1, PROMPT), math.sqrt)
        case MemoryOp():
            launch = H200.memory_op_seconds if op.launch is None else op.launch
            return op.bytes_per_token * x / (0.8 * H200.gpu.memory_bandwidth) + launch
        case other:
            raise AssertionError(f"a dense model runs no {other}")


def attention(op: DecodeAttention | ContextAttention) -> dict[str, str | float]:
    return {
        "attn_dtype": "bf16",
        "kv_cache_dtype": "fp8",
        "head_dim": 128,
        "num_heads": op.heads,
        "num_key_value_heads": op.kv_heads,
    }


def ours(prices: Prices, op: object, x: float) -> float:
    match op:
        case DecodeAttention():
            return float(prices.decode(op, np.array([BATCH]), np.array([CONTEXT]))[0][0])
        case ContextAttention():
            return float(prices.context(op, np.array([1]), np.array([PROMPT]))[0][0])
        case Gemm() | Collective() | MemoryOp():
            return float(prices.token_op(op, np.array([float(x)]))[0][0])
        case other:
            raise AssertionError(f"a dense model runs no {other}")


def placed(tp: int) -> list[tuple[Placed, float]]:
    shape = Shape(
        model=catalogue.load("Qwen/Qwen3-32B-FP8"),
        parallel=Parallel(tp=tp),
        dtypes=TYPES,
        engine=registry.engine("vllm"),
        system=H200,
    )
    prompts = [(one, TOKENS) for one in layers.operations(shape, "prefill")]
    return prompts + [(one, BATCH) for one in layers.operations(shape, "decode")]


@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_every_operation_agrees_within_one_percent(tp: int) -> None:
    prices = Prices(CATALOG, NAME, H200)

    found = [(one.name, x, ours(prices, one.op, x), reference(one.op, x)) for one, x in placed(tp)]

    assert len(found) >= 24
    for name, x, price, expected in found:
        assert price == pytest.approx(expected, rel=0.01), f"{name} at {x} tokens"
