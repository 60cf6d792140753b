"""Small tables to measure with, and the packs that travel with the package."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from perf_db.catalog import Catalog
from perf_db.provenance import Provenance
from perf_db.table import Column, Grid, Table

MakeTable = Callable[..., Table]
MakeGrid = Callable[..., Grid]


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The shipped packs."""
    return Catalog()


@pytest.fixture(scope="session")
def make_table() -> MakeTable:
    """A table from its name, its times and one sequence of values per key column, rows already sorted."""

    def make(name: str, seconds: Sequence[float], **keys: Sequence[str | int]) -> Table:
        columns = {key: Column.of(values) for key, values in keys.items()}
        classes = np.full(len(seconds), Provenance.MEASURED, dtype=np.uint8)
        return Table(name=name, columns=columns, seconds=np.asarray(seconds, dtype=float), provenance=classes)

    return make


@pytest.fixture(scope="session")
def make_grid() -> MakeGrid:
    """A measured grid from its axes and a function of them."""

    def make(seconds: Callable[..., np.ndarray], **axes: Sequence[float]) -> Grid:
        values = tuple(np.asarray(axis, dtype=float) for axis in axes.values())
        times = np.asarray(seconds(*np.meshgrid(*values, indexing="ij")), dtype=float)
        return Grid(names=tuple(axes), axes=values, seconds=times, provenance=np.zeros(times.shape, dtype=np.uint8))

    return make
