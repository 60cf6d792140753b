"""The chart, and the helm that renders it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from e2e import helm
from e2e.controlplane.build import BuildError
from tests.chart.rendering import Chart, Object


@pytest.fixture(scope="session")
def folder(root: Path) -> Path:
    """Where the chart lies."""
    return root / "charts" / "dgdr-operator"


@pytest.fixture(scope="session")
def chart(folder: Path) -> Chart:
    """The chart, where a helm is at hand: the one that `make chart` builds, else the one on PATH."""
    try:
        program = helm.program()
    except BuildError as error:
        program = shutil.which("helm") or ""
        if not program:
            pytest.skip(f"{error} (or install helm 3.14 or newer)")
    return Chart(folder=folder, helm=program)


@pytest.fixture(scope="session")
def plain(chart: Chart) -> list[Object]:
    """The chart with its defaults."""
    return chart.render()


@pytest.fixture(scope="session")
def everything(chart: Chart, folder: Path) -> list[Object]:
    """The chart with every switch on."""
    return chart.render(values=folder / "ci" / "everything.yaml")
