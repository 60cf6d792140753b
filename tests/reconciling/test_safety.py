"""What a graph needs of its namespace, what is missing of it, and what follows: said before anything is created."""

from __future__ import annotations

from typing import Any

import pytest

from dgdr_operator.controller import safety
from dgdr_operator.controller.answers import Answer
from dgdr_operator.controller.safety import GATED, NODE_GPUS, Gap, Needs, Seen
from dgdr_operator.controller.world import ApplyGraph, LookAgain
from dgdr_operator.manifest import graph as manifests
from dgdr_operator.settings import FabricSettings, PodSettings, Settings
from dgdr_operator.status import Condition, Type
from tests.manifests import plans
from tests.reconciling.worlds import Model, graph, planned

BOTH = pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
TEAM = "team"


def built(api: str, estimate: Any = plans.AGGREGATED, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- of a site
    """A graph as it is generated."""
    return manifests.build(estimate, plans.a_site(api=api, **changes)).objects[-1]


def missing(needs: Needs, **seen: Any) -> list[Gap]:  # noqa: ANN401 -- fields of what was seen
    """What is missing where that was seen."""
    return list(safety.gaps(needs, Seen(**seen), TEAM))


@BOTH
def test_a_graph_tells_its_claim_its_token_and_its_pull_secrets(api: str) -> None:
    pulling = Settings(pods=PodSettings(pull_secrets=("registry-a", "registry-b")))

    found = safety.needs(built(api, settings=pulling))

    assert (found.claim, found.token, found.optional) == ("model-cache", "hf-token-secret", api == "v1beta1")
    assert found.pulls == ("registry-a", "registry-b")
    assert (found.beyond, found.spread, found.gated) == ("", False, False)


@BOTH
@pytest.mark.parametrize(
    ("security", "beyond"),
    [
        ("auto", "containers that add IPC_LOCK and SYS_RESOURCE"),
        ("ipc-lock-only", "containers that add IPC_LOCK"),
        ("privileged", "privileged containers"),
        ("none", ""),
    ],
)
def test_rdma_workers_tell_what_they_need_beyond_baseline(api: str, security: Any, beyond: str) -> None:  # noqa: ANN401 - a word of the settings
    told = Settings(fabric=FabricSettings(security=security))

    assert safety.needs(built(api, plans.DISAGGREGATED, settings=told)).beyond == beyond


@pytest.mark.parametrize(("node_gpus", "spread"), [("8", False), ("4", True), ("many", False)])
def test_a_graph_that_one_node_cannot_hold_is_spread(node_gpus: str, spread: bool) -> None:  # noqa: FBT001 - a case
    eight = {**built("v1beta1"), "metadata": {"annotations": {NODE_GPUS: node_gpus}}}

    assert safety.needs(eight).spread is spread


def test_a_claim_that_graphs_make_themselves_need_not_exist() -> None:
    assert (
        safety.needs({**built("v1alpha1"), "spec": {"pvcs": [{"name": "c", "create": True}], "services": {}}}).claim
        == ""
    )


def test_a_missing_claim_blocks_and_is_named() -> None:
    (gap,) = missing(Needs(claim="model-cache"), modes=None)

    assert gap.blocks
    assert (gap.condition.type, gap.condition.reason) == (Type.VALIDATION, "ValidationFailed")
    assert "claim model-cache" in gap.condition.message
    assert "namespace team" in gap.condition.message


@pytest.mark.parametrize(
    ("modes", "spread", "count"),
    [
        (("ReadWriteOnce",), True, 1),
        (("ReadWriteOncePod",), True, 1),
        (("ReadWriteOnce",), False, 0),
        (("ReadWriteMany",), True, 0),
        (("ReadWriteOnce", "ReadOnlyMany"), True, 0),
        ((), True, 0),
    ],
)
def test_several_nodes_need_a_claim_that_they_may_share(modes: tuple[str, ...], spread: bool, count: int) -> None:  # noqa: FBT001 - a case
    found = missing(Needs(claim="c", spread=spread), modes=modes)

    assert [gap.blocks for gap in found] == [True] * count
    assert all(modes[0] in gap.condition.message for gap in found)


def test_a_gated_model_is_not_started_without_its_token() -> None:
    gone = frozenset({"hf"})

    (blocked,) = missing(Needs(token="hf", gated=True), missing=gone)  # noqa: S106 - a name
    (told,) = missing(Needs(token="hf"), missing=gone)  # noqa: S106 - a name

    assert (blocked.blocks, blocked.condition.status) == (True, "False")
    assert (told.blocks, told.condition.status) == (False, "True")
    assert "only public models can be fetched" in told.condition.message
    assert safety.needs({**built("v1beta1"), "metadata": {"annotations": {GATED: "true"}}}).gated


def test_a_missing_pull_secret_is_told() -> None:
    (gap,) = missing(Needs(pulls=("a", "b")), missing=frozenset({"b"}))

    assert not gap.blocks
    assert "Secret b does not exist" in gap.condition.message


@pytest.mark.parametrize(("level", "count"), [("restricted", 1), ("baseline", 1), ("privileged", 0), ("", 0)])
def test_a_namespace_that_refuses_locked_memory_is_named_with_its_level(level: str, count: int) -> None:
    found = missing(Needs(beyond="containers that add IPC_LOCK"), level=level)

    assert [(gap.condition.type, gap.condition.reason, gap.blocks) for gap in found] == [
        (Type.FABRIC_READY, "PodSecurity", True)
    ] * count
    assert all(level in gap.condition.message for gap in found)


BLOCKED = Gap(Condition(Type.VALIDATION, "False", "ValidationFailed", "the claim c does not exist"), blocks=True)
TOLD = Gap(Condition(Type.VALIDATION, "True", "ValidationPassed", "the Secret s does not exist"), blocks=False)


def decided(model: Model, plan: Answer, *gaps: Gap) -> list[Any]:
    """What the controller would do where those are missing."""
    model.gaps = gaps
    return model.decide(plan)


def test_nothing_is_created_while_something_is_missing_and_it_is_looked_at_again() -> None:
    model = Model()
    plan = planned(graph(), model.request)

    wanted = decided(model, plan, BLOCKED)
    model.settle(plan)

    assert any(isinstance(action, LookAgain) for action in wanted)
    assert not any(isinstance(action, ApplyGraph) for action in wanted)
    assert model.graph is None
    assert (model.phase, model.condition("Succeeded")["reason"]) == ("Failed", "ValidationFailed")
    assert "claim c" in model.condition("Succeeded")["message"]


def test_the_graph_is_created_as_soon_as_nothing_is_missing() -> None:
    model = Model()
    plan = planned(graph(), model.request)
    decided(model, plan, BLOCKED)
    model.settle(plan)

    model.gaps = ()
    model.settle(plan)

    assert model.graph is not None
    assert model.condition("Validation")["status"] == "True"


def test_what_does_not_block_is_told_and_the_graph_created() -> None:
    model = Model()
    plan = planned(graph(), model.request)

    wanted = decided(model, plan, TOLD)

    assert any(isinstance(action, ApplyGraph) for action in wanted)
    (status,) = (action.status for action in wanted if hasattr(action, "status"))
    assert "Secret s" in str(status["conditions"])


def test_what_does_not_block_is_told_until_the_graph_serves() -> None:
    model = Model(gaps=(TOLD,))
    plan = planned(graph(), model.request)

    model.settle(plan)
    starting = model.condition("Validation")["message"]
    model.report("successful")
    model.settle(plan)

    assert "Secret s" in starting
    assert model.condition("Validation")["message"] == "the request is valid"


def test_a_preview_tells_what_is_missing() -> None:
    model = Model()
    model.request["spec"]["autoApply"] = False
    plan = planned(graph(), model.request)
    decided(model, plan, BLOCKED)

    model.settle(plan)

    assert (model.phase, model.condition("Validation")["status"]) == ("Ready", "False")
