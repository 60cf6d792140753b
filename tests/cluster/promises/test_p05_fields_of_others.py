"""P5: fields we did not write are never touched; those we did are put back only where that is wanted."""

from __future__ import annotations

import pytest

from dgdr_operator.controller import graphs
from tests.cluster.stage.stage import Stage, in_modes
from tests.cluster.user import GRAPHS
from tests.fakes.asked import Object

DRIFT = "dgdr-operator.io/drift"


def owned_by(graph: Object, manager: str) -> Object:
    """The fields that *manager* owns."""
    entries = graph["metadata"]["managedFields"]
    return next((one["fieldsV1"] for one in entries if one["manager"] == manager), {})


def apply(stage: Stage, graph: Object, **said: object) -> Object:
    """Somebody else applies something to the graph."""
    kind = {name: graph[name] for name in ("apiVersion", "kind")}
    place = {name: graph["metadata"][name] for name in ("name", "namespace")}
    metadata = {**place, **({"labels": {"team": "blue"}} if "labels" in said else {})}
    spec = {name: value for name, value in said.items() if name != "labels"}
    return stage.api.apply(GRAPHS, {**kind, "metadata": metadata, **({"spec": spec} if spec else {})}, "somebody")


@in_modes("owner")
def test_p05_what_others_add_stays_theirs(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = apply(stage, stage.graph() or {}, labels=True, annotations={"team": "blue"})

    stage.ask(workload={"isl": 3300, "osl": 330})
    stage.eventually(lambda: stage.status()["observedGeneration"] == 2, "the edit to be seen")
    stage.settled()

    after = stage.graph() or {}
    assert after["metadata"]["labels"]["team"] == "blue"
    assert after["spec"]["annotations"]["team"] == "blue"
    assert owned_by(after, "somebody") == owned_by(before, "somebody") != {}


@in_modes("owner")
@pytest.mark.parametrize(("drift", "stays"), [("correct", False), ("report", True), ("ignore", True)])
def test_p05_what_others_change_is_put_back_only_if_that_is_wanted(stage: Stage, drift: str, stays: bool) -> None:  # noqa: FBT001 - a column of the table
    stage.ask(annotations={DRIFT: drift})
    stage.settled()
    graph = stage.graph() or {}
    component = graph["spec"]["components"][1]

    apply(stage, graph, components=[{"name": component["name"], "replicas": 7}])
    if not stays:
        stage.eventually(lambda: "DriftCorrected" in stage.reasons(), "the correction")

    assert stage.quiet() == []
    after = stage.graph() or {}
    assert (after["spec"]["components"][1]["replicas"] == 7) == stays


@in_modes("plugin")
@pytest.mark.parametrize("drift", ["correct", "report", "ignore"])
def test_p05_the_platforms_graph_is_not_touched_whatever_others_do(stage: Stage, drift: str) -> None:
    stage.ask(annotations={DRIFT: drift})
    stage.settled()
    graph = stage.graph() or {}

    apply(stage, graph, labels=True, components=[{"name": graph["spec"]["components"][1]["name"], "replicas": 7}])
    stage.eventually(lambda: graphs.state(stage.graph() or {}).serving, "the change to be served")
    before = stage.graph()

    assert stage.quiet(2.5) == []
    assert stage.graph() == before


@in_modes("plugin")
def test_p05_what_others_add_to_our_answer_stays_theirs(stage: Stage) -> None:
    assert stage.cast.platform is not None
    with stage.cast.platform.deaf():
        stage.ask()
        stage.eventually(stage.answer, "the answer")
        noted = {"metadata": {"annotations": {"team": "blue"}}}
        before = stage.api.patch("configmaps", stage.namespace, "dgdr-output-chat", noted)

        assert stage.quiet(2.5) == []

        assert stage.api.get("configmaps", stage.namespace, "dgdr-output-chat") == before
