"""C15: other hands: a replaced request, wiped annotations, a clone, a foreign finalizer, a field taken away."""

from __future__ import annotations

import copy

import pytest

from tests.cluster.stage.stage import Stage
from tests.cluster.user import GRAPHS, REQUESTS
from tests.fakes.api import STEPS


@pytest.mark.chaos
def test_c15_a_request_that_is_replaced_by_its_bare_file_keeps_its_graph(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before, live = stage.graph() or {}, stage.request()

    bare = {name: live["metadata"][name] for name in ("name", "namespace", "resourceVersion")}
    stage.api.replace(REQUESTS, {**live, "metadata": bare, "status": {}})

    assert stage.quiet() == []
    assert (stage.graph() or {})["metadata"]["uid"] == before["metadata"]["uid"]


@pytest.mark.chaos
def test_c15_a_graph_whose_annotations_are_wiped_is_still_ours(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph() or {}

    name = before["metadata"]["name"]
    stage.api.patch(GRAPHS, stage.namespace, name, {"metadata": {"annotations": None}})

    stage.settled()
    assert (stage.graph() or {})["metadata"]["uid"] == before["metadata"]["uid"]
    assert stage.quiet() == []


@pytest.mark.chaos
def test_c15_a_clone_of_a_request_gets_a_graph_of_its_own(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    clone = copy.deepcopy(stage.request())
    clone["metadata"] = {"name": "clone", "namespace": stage.namespace, "annotations": {}}

    stage.api.create(REQUESTS, clone)

    stage.settled("chat", "clone")
    assert len({graph["metadata"]["name"] for graph in stage.graphs()}) == 2


@pytest.mark.chaos
def test_c15_a_graph_that_a_finalizer_holds_is_made_again_when_it_is_gone(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph() or {}
    name, uid = before["metadata"]["name"], before["metadata"]["uid"]
    stage.api.patch(GRAPHS, stage.namespace, name, {"metadata": {"finalizers": ["example.com/hold"]}})

    stage.api.delete(GRAPHS, stage.namespace, name)
    stage.eventually(lambda: stage.phase() != "Deployed", "Deployed to be taken back")
    held = stage.api.get(GRAPHS, stage.namespace, name) or {}
    stage.api.patch(GRAPHS, stage.namespace, name, {"metadata": {"finalizers": None}})

    assert held["metadata"]["uid"] == uid
    stage.eventually(lambda: (stage.graph() or before)["metadata"]["uid"] != uid, "a new graph")
    stage.settled()


@pytest.mark.chaos
def test_c15_a_field_that_was_taken_is_put_back_and_what_others_added_stays(stage: Stage) -> None:
    stage.ask()
    stage.settled()
    before = stage.graph() or {}
    name = before["metadata"]["name"]

    steps = [
        {"op": "replace", "path": "/spec/components/1/replicas", "value": 7},
        {"op": "add", "path": "/metadata/labels/team", "value": "blue"},
    ]
    stage.api.patch(GRAPHS, stage.namespace, name, steps, STEPS)
    stage.eventually(lambda: "DriftCorrected" in stage.reasons(), "the correction")

    stage.settled()
    after = stage.graph() or {}
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"]["team"] == "blue"
    assert stage.quiet() == []
