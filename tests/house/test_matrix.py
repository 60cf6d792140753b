"""The support matrix in docs is the one that the measurements and the code give today."""

from pathlib import Path

from dgdr_operator.cli import support
from dgdr_operator.report import coverage_matrix
from estimator import catalogue
from estimator.backends import registry
from perf_db.catalog import Catalog


def test_the_support_matrix_is_not_stale(root: Path) -> None:
    written = (root / "docs" / "support-matrix.md").read_text()

    assert written == coverage_matrix.page(support.matrix(Catalog())), "run `make matrix`"


def test_the_matrix_covers_forty_models_and_every_measured_system_and_engine(root: Path) -> None:
    written = (root / "docs" / "support-matrix.md").read_text()
    models = [name for family in coverage_matrix.MODELS.values() for name in family]

    assert len(set(models)) == len(models) >= 40
    assert set(models) <= set(catalogue.names())
    assert all(written.count(f"| {name} |") == len(registry.NAMES) for name in models)
    assert all(f" {pack.system} |" in written for pack in Catalog().packs())
