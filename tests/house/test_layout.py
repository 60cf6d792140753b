"""The folder `operator/` must never hide the standard library's module of that name."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_this_file_looks_at_the_repository(root: Path) -> None:
    assert (root / "operator" / "dgdr_operator").is_dir(), "a guard that looks in the wrong place passes for ever"


def test_the_operator_folder_is_not_a_package(root: Path) -> None:
    assert not (root / "operator" / "__init__.py").exists()


def test_every_room_of_the_wheel_is_a_package(root: Path) -> None:
    for package in ("operator/dgdr_operator", "estimator", "perf_db"):
        assert (root / package / "__init__.py").is_file(), f"{package} is not a package"


@pytest.mark.parametrize("flags", [[], ["-S"], ["-E"]], ids=["plain", "without site", "without environment"])
def test_operator_means_the_standard_library_at_the_repository_root(root: Path, flags: list[str]) -> None:
    code = "import operator, collections; print(operator.itemgetter.__module__)"

    child = subprocess.run(
        [sys.executable, *flags, "-c", code],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert child.stdout.strip() == "operator", child.stderr
