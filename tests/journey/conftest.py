"""The measurements that travel with the package, and the nodes of the examples."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from perf_db.catalog import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The shipped measurements, opened once."""
    return Catalog()


@pytest.fixture(scope="session")
def examples(root: Path) -> dict[str, Any]:
    """Every example by file name."""
    files = sorted((root / "examples").glob("*.yaml"))
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in files}
