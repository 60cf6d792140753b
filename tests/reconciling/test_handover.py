"""A plan of another shape: beside the old graph, instead of it, or not at all; and never three graphs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgdr_operator.controller import handover, recall, review
from dgdr_operator.controller.world import DeleteGraph
from dgdr_operator.planned import ROLLBACK, Planned
from tests.reconciling import worlds
from tests.reconciling.worlds import GRAPH, Model, graph, planned

APART = ("prefill", "decode")


@pytest.fixture
def served() -> Model:
    """A request whose graph serves, and whose user lets new graphs take over."""
    return worlds.served(Model(request=worlds.request(annotations={review.STRATEGY: "blue-green"})))


@pytest.fixture
def reshaped(served: Model) -> Planned:
    """The plan after an edit of the spec: other components."""
    return replanned(served, *APART)


def replanned(model: Model, *workers: str, replicas: int = 2) -> Planned:
    """The user edits the spec, and the plan for it has these workers."""
    return worlds.edited(model, graph(workers=workers, replicas=replicas))


def steps(model: Model, plan: Planned) -> Iterator[set[str]]:
    """The names of the graphs after every single action, until there is rest."""
    for _ in range(8):
        wanted = model.decide(plan)
        for action in wanted:
            model.perform(action)
            yield set(model.standing)
        if not wanted:
            return


def test_the_new_graph_is_named_in_the_status_before_it_is_made(served: Model, reshaped: Planned) -> None:
    wanted = served.decide(reshaped)
    for action in wanted[:2]:
        served.perform(action)

    name = served.status["dgdName"]
    assert set(served.standing) == {GRAPH}
    assert name == f"{GRAPH}-{reshaped.hash[:5]}"
    assert f"graph {name} takes over from {GRAPH}" in served.condition("Synced")["message"]


def test_the_old_graph_serves_until_the_new_one_does(served: Model, reshaped: Planned) -> None:
    served.settle(reshaped)
    during = set(served.standing)

    served.serve(reshaped)

    assert during == {GRAPH, f"{GRAPH}-{reshaped.hash[:5]}"}
    assert set(served.standing) == during - {GRAPH}
    assert served.phase == "Deployed"
    assert served.condition("Synced")["status"] == "True"


def test_never_more_than_the_two_graphs_that_the_status_names(served: Model, reshaped: Planned) -> None:
    for standing in steps(served, reshaped):
        named = {GRAPH, str(served.status["dgdName"])}
        assert standing <= named


def test_the_old_graph_is_deleted_by_its_uid(served: Model, reshaped: Planned) -> None:
    served.settle(reshaped)
    served.report("successful")

    (deleted,) = [action for action in served.decide(reshaped) if isinstance(action, DeleteGraph)]

    assert deleted.graph["metadata"]["uid"] == f"u-{GRAPH}"


def test_the_next_plan_of_the_same_shape_changes_the_graph_that_took_over(served: Model, reshaped: Planned) -> None:
    served.serve(reshaped)
    (name,) = served.standing

    served.serve(replanned(served, *APART, replicas=5))

    assert set(served.standing) == {name}
    assert served.standing[name]["spec"]["components"][1]["replicas"] == 5


def test_a_graph_that_took_over_can_be_taken_over_from(served: Model, reshaped: Planned) -> None:
    served.serve(reshaped)

    back = replanned(served, "worker")
    served.serve(back)

    assert set(served.standing) == {f"{GRAPH}-{back.hash[:5]}"}


def test_going_back_to_a_plan_of_the_same_shape_changes_the_graph_whatever_it_was_called_then(
    served: Model, reshaped: Planned
) -> None:
    served.serve(reshaped)
    apart = recall.remembered(served.request)
    assert apart is not None
    served.serve(replanned(served, "worker"))
    served.serve(replanned(served, *APART, replicas=5))
    standing = set(served.standing)

    served.request["metadata"]["annotations"][ROLLBACK] = apart.hash
    served.serve(apart)

    assert apart.name not in standing
    assert set(served.standing) == standing
    (body,) = served.standing.values()
    assert body["spec"] == apart.graph["spec"]


def test_a_new_graph_that_never_serves_makes_room_for_the_next_plan(served: Model, reshaped: Planned) -> None:
    served.settle(reshaped)

    third = replanned(served, "worker", "router")
    for standing in steps(served, third):
        assert len(standing) <= 2
        assert GRAPH in standing
    served.report("successful")
    served.settle(third)

    (name,) = served.standing
    components = [part["name"] for part in served.standing[name]["spec"]["components"]]
    assert components == ["Frontend", "worker", "router"]


def test_without_room_for_both_the_old_graph_stays_and_the_gpus_that_miss_are_counted(served: Model) -> None:
    plan = replanned(served, *APART)
    for part in plan.graph["spec"]["components"][1:]:
        part["podTemplate"]["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "4"}}
    served.room = 6

    served.settle(plan)

    assert handover.gpus(plan.graph) == 16
    assert set(served.standing) == {GRAPH}
    assert "10 more free GPUs are needed" in served.condition("Synced")["message"]


@given(cuts=st.lists(st.integers(1, 4), max_size=12), strategy=st.sampled_from(["blue-green", "recreate"]))
@settings(max_examples=60, deadline=None)
def test_a_controller_that_dies_between_any_two_steps_ends_with_the_same_graph(cuts: list[int], strategy: str) -> None:
    model = Model(request=worlds.request(annotations={review.STRATEGY: strategy}))
    first = planned(graph(), model.request)
    model.serve(first)
    plan = replanned(model, *APART)

    for cut in cuts:
        for action in model.decide(plan)[:cut]:
            model.perform(action)
        assert len(model.standing) <= 2
    model.serve(plan)

    (body,) = model.standing.values()
    assert body["metadata"]["name"] == model.status["dgdName"]
    assert body["spec"] == plan.graph["spec"]
    assert model.phase == "Deployed"


def test_recreate_deletes_first_and_then_makes_the_graph_under_the_same_name(served: Model) -> None:
    served.request["metadata"]["annotations"][review.STRATEGY] = "recreate"
    plan = replanned(served, *APART)

    assert all(len(standing) <= 1 for standing in steps(served, plan))

    assert [part["name"] for part in served.standing[GRAPH]["spec"]["components"]] == ["Frontend", *APART]


def test_a_status_wiped_in_the_middle_makes_no_third_graph(served: Model, reshaped: Planned) -> None:
    served.settle(reshaped)
    both = set(served.standing)
    del served.request["status"]

    served.settle(reshaped)
    restored = served.status["dgdName"]
    served.serve(reshaped)

    assert restored in both - {GRAPH}
    assert set(served.standing) == both - {GRAPH}


def test_a_name_at_the_limit_is_shortened_to_leave_room_for_its_suffix() -> None:
    long = graph(name="a" * 36)
    plan = planned(long, worlds.request())

    new = handover.successor(plan, long)

    assert len(new.name) + len("Frontend") <= handover.SET_NAME
    assert new.name.endswith(plan.hash[:5])


def test_engine_files_go_with_the_new_name() -> None:
    body = graph()
    body["spec"]["files"] = f"{GRAPH}-engine-1234"
    companion = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{GRAPH}-engine-1234"}, "data": {}}
    body["metadata"]["annotations"]["dgdr-operator.io/companions"] = worlds.as_json([companion])
    plan = planned(body, worlds.request())

    new = handover.successor(plan, graph())

    assert new.graph["spec"]["files"] == f"{new.name}-engine-1234"
    assert f"{new.name}-engine-1234" in new.graph["metadata"]["annotations"]["dgdr-operator.io/companions"]
