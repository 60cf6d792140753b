"""The health that Argo CD reads: the Lua scripts of the chart, run over every status that we and the platform write."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lupa import lua51

from dgdr_operator import status
from dgdr_operator.controller import graphs
from dgdr_operator.status import Verdict
from tests.reconciling import worlds

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "dgdr-operator" / "files" / "argocd"
NOW = "2026-01-01T00:00:00Z"
Object = dict[str, Any]
Health = Callable[[Object], tuple[str, str]]


def script(name: str) -> Health:
    """The script called *name*, as Argo CD runs it: Lua 5.1, the object as `obj`, a table as the answer."""
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    run = lua.execute(f"return function(obj) {(FOLDER / f'{name}.lua').read_text()} end")

    def health(body: Object) -> tuple[str, str]:
        found = run(lua.table_from(body, recursive=True))
        return str(found["status"]), str(found["message"])

    return health


REQUEST = script("dynamographdeploymentrequest")
GRAPH = script("dynamographdeployment")
PLAN = worlds.planned(worlds.graph(), worlds.request())


def asked(verdict: Verdict, *, generation: int = 1, seen: int = 1) -> tuple[str, str]:
    """The health of a request of *generation* about which *verdict* was written when it was of generation *seen*."""
    written = status.render(verdict, generation=seen, previous=None, now=NOW)
    return REQUEST({"metadata": {"name": "r", "generation": generation}, "status": written})


@pytest.mark.parametrize(
    ("verdict", "health"),
    [
        (status.profiling("SelectingConfig", "the estimator is working on it"), "Progressing"),
        (status.ready(PLAN), "Suspended"),
        (status.deploying(PLAN, reason="DeploymentInProgress", message="coming up"), "Progressing"),
        (status.deploying(PLAN, reason="DeploymentDegraded", message="fell"), "Degraded"),
        (status.deployed(PLAN, "serves", None), "Healthy"),
        (status.deployed(PLAN, "serves", None).adding(status.unsynced("FieldConflict", "replicas")), "Healthy"),
        (status.deployed(PLAN, "serves", None).adding(status.unsynced("Paused", "paused")), "Suspended"),
        (status.invalid("spec.model is missing"), "Degraded"),
        (status.refused("infeasible", reason="SelectingConfigFailed"), "Degraded"),
        (status.undeployed(PLAN, reason="DeploymentRejected", message="no"), "Degraded"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.phase.value,
)
def test_every_status_that_we_write_has_its_health_and_a_message(verdict: Verdict, health: str) -> None:
    found, message = asked(verdict)

    assert found == health
    assert len(message) > 3


def test_what_was_written_about_an_earlier_spec_is_no_health() -> None:
    assert asked(status.deployed(PLAN, "serves", None), generation=2)[0] == "Progressing"


def test_a_request_without_a_status_is_on_its_way() -> None:
    assert REQUEST({"metadata": {"name": "r", "generation": 1}})[0] == "Progressing"


STATUSES = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["initializing", "pending", "successful", "failed"]),
        "observedGeneration": st.integers(1, 3),
        "rollingUpdate": st.fixed_dictionaries(
            {"phase": st.sampled_from(["Pending", "InProgress", "Completed", "Failed"])}
        ),
        "conditions": st.just([{"type": "Ready", "status": "True", "reason": "AllUp", "message": "all pods are up"}]),
    },
)


@given(STATUSES, st.integers(1, 3))
def test_a_graph_is_healthy_exactly_when_we_call_it_serving(reported: Object, generation: int) -> None:
    graph = {"metadata": {"name": "g", "generation": generation}, "status": reported}

    found, message = GRAPH(graph)

    assert (found == "Healthy") == graphs.state(graph).serving
    assert (found == "Degraded") == (reported.get("state") == "failed")
    assert message


def test_the_page_names_every_script_with_its_key(root: Path) -> None:
    page = (root / "docs" / "argocd.md").read_text()

    named = dict(re.findall(r"`resource\.customizations\.health\.nvidia\.com_(\w+)` \| `(\w+)\.lua`", page))

    assert {kind.lower(): name for kind, name in named.items()} == {path.stem: path.stem for path in FOLDER.iterdir()}
