"""The platform's planner: its orders follow from request and plan, and the workers it counts are handed over."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dgdr_operator import spec
from dgdr_operator.errors import InvalidSpec, Unsupported
from dgdr_operator.manifest import graph, rolebased, views
from dgdr_operator.manifest.sites import Site
from dgdr_operator.request import Knobs, Overrides
from estimator.estimates import Estimate
from tests.manifests import definitions, plans, structural

Tree = dict[str, Any]


def built(estimate: Estimate, orders: Tree, release: str = "1.4.0", **changes: object) -> Tree:
    """A graph with a planner under *orders*, which fits its schema."""
    written = graph.build(estimate, a_site(orders, release, **changes)).objects[-1]
    version = written["apiVersion"].split("/")[1]
    schemas = definitions.schemas("dynamographdeployments")
    assert version not in schemas or structural.faults(written, schemas[version]) == []
    return written


def a_site(orders: Tree, release: str = "1.4.0", **changes: object) -> Site:
    """A site whose request wants a planner."""
    return plans.a_site(release, overrides=Overrides(planner=orders), **changes)


def planner_of(written: Tree) -> views.View:
    """The planner's component."""
    return next(view for view in views.of(written) if view.kind == "planner")


def told(written: Tree) -> Mapping[str, Any]:
    """What the planner is ordered."""
    config = planner_of(written).value("--config")
    assert config is not None
    found: Tree = json.loads(config)
    return found


def adapters(written: Tree) -> set[str]:
    """Names of the components with a scaling adapter."""
    named = written["spec"].get("services") or {part["name"]: part for part in written["spec"].get("components", ())}
    return {name for name, part in named.items() if part.get("scalingAdapter", {}).get("enabled", True)} & {
        name for name, part in named.items() if "scalingAdapter" in part
    }


def test_orders_follow_from_the_plan(disaggregated: Estimate) -> None:
    assert told(built(disaggregated, {})) == {
        "backend": "vllm", "mode": "disagg", "max_gpu_budget": 8, "ttft": 600.0, "itl": 16.67,
        "prefill_engine_num_gpu": 2, "decode_engine_num_gpu": 4,
    }  # fmt: skip


def test_orders_of_the_request_win(aggregated: Estimate) -> None:
    orders = {"optimization_target": "sla", "ttft": 300, "max_gpu_budget": 6, "min_endpoint": 2}

    given = told(built(aggregated, orders))

    assert {name: given[name] for name in orders} == orders
    assert (given["mode"], given["itl"]) == ("agg", 16.67)
    assert "prefill_engine_num_gpu" not in given


@pytest.mark.parametrize(("release", "api"), [("1.0.0", "v1alpha1"), ("1.4.0", "v1beta1"), ("1.4.0", "v1alpha1")])
@pytest.mark.parametrize(
    ("orders", "counted"),
    [
        ({}, {"prefill", "decode"}),
        ({"mode": "disagg"}, {"prefill", "decode"}),
        ({"mode": "decode"}, {"decode"}),
        ({"advisory": True}, set()),
        ({"no_operation": True}, set()),
    ],
)
def test_workers_that_it_counts_get_an_adapter(
    disaggregated: Estimate, release: str, api: str, orders: Tree, counted: set[str]
) -> None:
    written = built(disaggregated, orders, release, api=api)

    names = {view.name: view.kind for view in views.of(written)}
    assert {names[name] for name in adapters(written)} == counted


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_workers_that_do_both_are_found_by_a_planner(aggregated: Estimate, api: str) -> None:
    written = built(aggregated, {}, api=api)

    if api == "v1beta1":
        typed = {part["name"]: part["type"] for part in written["spec"]["components"]}
        assert typed == {"Frontend": "frontend", "worker": "decode", "Planner": "planner"}
    else:
        worker = written["spec"]["services"]["VLLMWorker"]
        assert (worker["componentType"], worker["subComponentType"]) == ("worker", "decode")
    assert {view.kind for view in views.of(written)} == {"frontend", "worker", "planner"}


@pytest.mark.parametrize(("release", "image"), [("1.0.2", "dynamo-frontend:1.0.2"), ("1.4.0", "dynamo-planner:1.4.0")])
def test_it_runs_in_the_image_with_the_platforms_tools(aggregated: Estimate, release: str, image: str) -> None:
    api = "v1alpha1" if release.startswith("1.0") else "v1beta1"

    view = planner_of(built(aggregated, {}, release, api=api))

    assert view.main["image"].endswith(f"/{image}")
    assert view.main["command"] == ["python3", "-m", "dynamo.planner"]
    assert (view.replicas, dict(view.limits)) == (1, {})


def test_mocked_workers_can_be_counted_too(aggregated: Estimate) -> None:
    written = built(aggregated, {}, knobs=Knobs(mocker=True))

    assert (told(written)["backend"], told(written)["mode"]) == ("mocker", "disagg")
    assert adapters(written) == {"prefill", "decode"}


@pytest.mark.parametrize(
    ("orders", "release", "path"),
    [
        ({}, "0.9.1", "spec.features.planner"),
        ({"backend": "sglang"}, "1.4.0", "spec.features.planner.backend"),
        ({"max_gpu_budget": 9}, "1.4.0", "spec.features.planner.max_gpu_budget"),
    ],
)
def test_orders_against_the_plan_are_refused(aggregated: Estimate, orders: Tree, release: str, path: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        graph.build(aggregated, a_site(orders, release, api="v1alpha1"))

    assert refused.value.path == path


def test_what_it_counts_decides_how_workers_are_planned() -> None:
    body = {"metadata": {"name": "a"}, "spec": {"model": "m", "features": {"planner": {"mode": "decode"}}}}

    assert spec.read(body).policy.pins.mode == "disaggregated"


def test_what_it_counts_and_a_pin_have_to_agree() -> None:
    own = {"dgdr-operator.io/pin": "mode=agg"}
    body = {
        "metadata": {"name": "a", "annotations": own},
        "spec": {"model": "m", "features": {"planner": {"mode": "disagg"}}},
    }

    with pytest.raises(InvalidSpec, match="but the annotation pin wants aggregated ones"):
        spec.read(body)


def test_a_group_without_the_platform_has_no_planner(aggregated: Estimate) -> None:
    site = a_site({})
    plan = plans.an_estimate(*aggregated.workers, backend="sglang", replicas=4)

    with pytest.raises(Unsupported, match="have no planner"):
        rolebased.group(graph.build(plan, site).objects[-1], site.target.release)
