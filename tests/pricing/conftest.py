"""Small databases of invented times, so that a test says which rows there are and who measured them."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from estimator import hardware
from estimator.hardware import System
from estimator.pricing import Mode, Prices
from perf_db.catalog import SHIPPED, Catalog, PackName
from perf_db.pack import Content, to_bytes
from perf_db.provenance import Provenance
from perf_db.table import Column, Table

SYSTEM = "h200_sxm"
MakeBlock = Callable[..., Table]
MakePrices = Callable[..., Prices]


@pytest.fixture(scope="session")
def h200() -> System:
    """Eight H200: 4.8 TB/s, 989 TFLOP/s in 16 bits and twice that in 8, 450 GB/s inside a node and 50 between nodes."""
    return hardware.system(SYSTEM, Catalog().systems()[SYSTEM])


@pytest.fixture(scope="session")
def block() -> MakeBlock:
    """A table whose rows are the product of its key columns' values; *microseconds*: of one row's keys."""

    def make(name: str, microseconds: Callable[..., float], **keys: Sequence[str | int]) -> Table:
        rows = list(itertools.product(*keys.values()))
        times = np.array([microseconds(**dict(zip(keys, row, strict=True))) for row in rows]) * 1e-6
        columns = {key: Column.of([row[place] for row in rows]) for place, key in enumerate(keys)}
        kept = np.flatnonzero(~np.isnan(times))
        classes = np.full(len(rows), Provenance.MEASURED, np.uint8)
        return Table(name=name, columns=columns, seconds=times, provenance=classes).take(kept)

    return make


@pytest.fixture
def invented(tmp_path: Path) -> MakePrices:
    """The price list of the first pack named, over a database of those packs: "vllm-2.0" to its tables."""

    def make(packs: Mapping[str, Sequence[Table]], mode: Mode = "hybrid") -> Prices:
        root = tmp_path / "packs"
        for pack, tables in packs.items():
            path = root / SYSTEM / f"{pack}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_bytes(Content(meta={}, tables={table.name: table for table in tables})))
        facts = json.loads((SHIPPED / "systems.json").read_text())
        (root / "systems.json").write_text(json.dumps(facts))
        catalog = Catalog(root)
        backend, version = next(iter(packs)).split("-")
        name = PackName(system=SYSTEM, backend=backend, version=version)
        return Prices(catalog, name, hardware.system(SYSTEM, catalog.systems()[SYSTEM]), mode=mode)

    return make


@pytest.fixture(scope="session")
def shipped() -> Callable[[str, str], Prices]:
    """The price list of a shipped pack: system, then engine-version."""

    def make(system: str, pack: str) -> Prices:
        catalog = Catalog()
        backend, version = pack.split("-")
        name = PackName(system=system, backend=backend, version=version)
        return Prices(catalog, name, hardware.system(system, catalog.systems()[system]))

    return make
