"""A contract over imports sees what a room asks for, not what comes along: here the modules that really got loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"pandas", "pyarrow", "scipy", "matplotlib", "kopf", "kubernetes", "aiohttp"}
EVERY_ROOM = """
import importlib, pkgutil, {0} as package
for room in pkgutil.walk_packages(package.__path__, "{0}."):
    importlib.import_module(room.name)
"""

ENTRANCES = {
    "every room of the estimator": (EVERY_ROOM.format("estimator"), HEAVY | {"yaml", "pydantic"}),
    "the search": ("import estimator.search", HEAVY | {"yaml", "pydantic", "asyncio"}),
    "the catalogue of measurements": ("import perf_db.catalog", HEAVY | {"yaml", "pydantic", "asyncio"}),
    "the command line": ("import dgdr_operator.cli.main", HEAVY),
    "the verb optimize": ("import dgdr_operator.cli.optimize", HEAVY),
    "the verb plan": ("import dgdr_operator.cli.plan", HEAVY),
    "the controller, whose estimator has processes of its own": (
        "import dgdr_operator.controller.run",
        {"numpy", "estimator.search", "perf_db.catalog"},
    ),
}


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_nothing_heavy_comes_in_with(root: Path, entrance: str) -> None:
    code, strangers = ENTRANCES[entrance]

    loaded = _loaded_after(root, code)

    assert "sys" in loaded, "the child did not say what it loaded"
    assert not loaded & strangers, f"{entrance} drags in {sorted(loaded & strangers)}"


def _loaded_after(root: Path, code: str) -> set[str]:
    say = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    path = f"{root / 'operator'}:{root}"
    child = subprocess.run(
        [sys.executable, "-c", say], env={"PYTHONPATH": path}, cwd="/", capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return set(json.loads(child.stdout))
