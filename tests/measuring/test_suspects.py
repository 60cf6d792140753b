"""A version that is suddenly much slower is listed, not changed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_db import suspects
from perf_db.catalog import Catalog
from perf_db.table import Table

MakeTable = Callable[..., Table]
SHAPES = [(n, m) for n in range(8) for m in (1, 2, 4, 4096)]


def gemm(make_table: MakeTable, factor: float, dtype: str = "fp8") -> Table:
    """GEMMs that take *factor* milliseconds with few tokens and 8 ms with many."""
    times = [8e-3 if m > 16 else factor * 1e-3 for _, m in SHAPES]
    widths, tokens = zip(*SHAPES, strict=True)
    return make_table("gemm", times, gemm_dtype=[dtype] * len(times), n=widths, k=[1] * len(times), m=tokens)


def test_a_jump_is_told_with_its_size(make_table: MakeTable) -> None:
    (found,) = suspects.jumps(gemm(make_table, 3.0), gemm(make_table, 1.0))

    assert (found["table"], found["dtype"], found["rows"]) == ("gemm", "fp8", 24)
    assert found["median_ratio"] == pytest.approx(3.0)


@given(factor=st.floats(0.01, 2.5))
def test_what_is_not_much_slower_is_believed(make_table: MakeTable, factor: float) -> None:
    assert not list(suspects.jumps(gemm(make_table, factor), gemm(make_table, 1.0)))


def test_only_equal_keys_are_compared(make_table: MakeTable) -> None:
    assert not list(suspects.jumps(gemm(make_table, 9.0), gemm(make_table, 1.0, dtype="fp8_block")))


def test_a_few_rows_prove_nothing(make_table: MakeTable) -> None:
    newer, older = (gemm(make_table, factor).take(np.arange(4)) for factor in (9.0, 1.0))

    assert not list(suspects.jumps(newer, older))


@pytest.mark.parametrize(("system", "before"), [("h100_sxm", "0.12.0"), ("h200_sxm", "0.19.0")])
def test_the_fp8_experts_of_vllm_are_doubted(catalog: Catalog, system: str, before: str) -> None:
    pack = catalog.open(catalog.resolve(system, "vllm", "0.24.0").pack)

    (found,) = (one for one in pack.meta["suspects"] if one["table"] == "moe" and one["dtype"] == "fp8")

    assert found["than"] == before
    assert found["median_ratio"] > 2.5
