"""Rows are picked by value, and a grid shows each row in its place."""

from collections.abc import Callable

import numpy as np
import pytest

from perf_db.errors import AmbiguousGrid, UnknownColumn
from perf_db.table import Table


@pytest.fixture
def table(make_table: Callable[..., Table]) -> Table:
    return make_table(
        "gemm",
        [1.0, 2.0, 3.0, 4.0, 5.0],
        gemm_dtype=["bf16", "bf16", "bf16", "fp8", "fp8"],
        n=[8, 8, 16, 8, 16],
        m=[1, 2, 2, 1, 1],
    )


def test_rows_are_picked_by_value(table: Table) -> None:
    assert table.where(gemm_dtype="bf16", n=8).seconds.tolist() == [1.0, 2.0]


def test_a_value_never_measured_picks_nothing(table: Table) -> None:
    assert len(table.where(gemm_dtype="int3")) == 0


def test_a_column_that_is_not_there_is_named(table: Table) -> None:
    with pytest.raises(UnknownColumn, match="no column 'k': it has gemm_dtype, n, m"):
        table.where(k=1)


def test_only_values_of_the_rows_at_hand_are_listed(table: Table) -> None:
    assert table.where(gemm_dtype="fp8").values("m") == (1,)


def test_a_grid_has_a_hole_where_nothing_was_measured(table: Table) -> None:
    grid = table.where(gemm_dtype="bf16").grid("n", "m")

    assert [axis.tolist() for axis in grid.axes] == [[8.0, 16.0], [1.0, 2.0]]
    assert np.array_equal(grid.seconds, [[1.0, 2.0], [np.nan, 3.0]], equal_nan=True)


def test_a_grid_over_mixed_rows_is_refused(table: Table) -> None:
    with pytest.raises(AmbiguousGrid, match="fix gemm_dtype"):
        table.grid("n", "m")
