"""A user's partial graph, laid over ours by the structure of its version."""

from typing import Any

import pytest

from dgdr_operator.errors import InvalidSpec, ManifestError
from dgdr_operator.manifest import graph, views
from dgdr_operator.manifest.graph import Built
from dgdr_operator.manifest.views import View
from dgdr_operator.request import Overrides
from estimator.estimates import Estimate
from tests.manifests import plans


def built(plan: Estimate, change: dict[str, Any], api: str = "v1beta1") -> Built:
    """The graph of *plan* with *change* laid over it."""
    whole = {"apiVersion": f"nvidia.com/{api}", "kind": "DynamoGraphDeployment", **change}
    return graph.build(plan, plans.a_site(api=api, overrides=Overrides(graph=whole)))


def worker(made: Built) -> View:
    """The aggregated worker."""
    return next(view for view in views.of(made.objects[-1]) if view.is_worker)


def component(**main: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field of a container
    """A change of the worker's main container, v1beta1."""
    pod = {"spec": {"containers": [{"name": "main", **main}]}}
    return {"spec": {"components": [{"name": "worker", "podTemplate": pod}]}}


def test_a_name_and_labels_are_taken_over(aggregated: Estimate) -> None:
    change = {"metadata": {"name": "mine", "labels": {"team": "a"}, "annotations": {"nvidia.com/dgd-spec": "x"}}}

    metadata = built(aggregated, change).objects[-1]["metadata"]

    assert metadata["name"] == "mine"
    assert metadata["labels"]["team"] == "a"
    assert metadata["labels"]["dgdr.nvidia.com/name"] == "qwen32b"
    assert metadata["annotations"] == {}


def test_a_name_that_is_too_long_is_refused_with_the_length_that_fits(aggregated: Estimate) -> None:
    with pytest.raises(InvalidSpec, match="must have at most 37 characters with these components, not 38"):
        built(aggregated, {"metadata": {"name": "m" * 38}})


def test_variables_merge_by_name(aggregated: Estimate) -> None:
    change = component(env=[{"name": "NCCL_DEBUG", "value": "INFO"}, {"name": "HF_HOME", "value": "/other"}])

    assert worker(built(aggregated, change)).env == {"HF_HOME": "/other", "NCCL_DEBUG": "INFO"}


def test_v1beta1_arguments_replace_ours(aggregated: Estimate) -> None:
    made = built(aggregated, component(args=["--model", "x"]))

    assert worker(made).args == ["--model", "x"]
    assert made.notes == ("overrides.dgd changes arguments of worker: the estimate does not cover that",)


def test_v1beta1_arguments_can_be_appended(aggregated: Estimate) -> None:
    ours = worker(built(aggregated, {})).args

    made = built(aggregated, component(args=["--enforce-eager"], **{"$patch": {"args": "append"}}))

    assert worker(made).args == [*ours, "--enforce-eager"]
    assert "$patch" not in str(made.objects[-1])


@pytest.mark.parametrize("name", ["VLLMWorker", "VllmWorker", "worker", "VllmDecodeWorker"])
def test_v1alpha1_arguments_of_a_worker_follow_ours_whatever_it_is_called(aggregated: Estimate, name: str) -> None:
    ours = worker(built(aggregated, {}, "v1alpha1")).args
    main = {"extraPodSpec": {"mainContainer": {"args": ["--enforce-eager"]}}}

    made = built(aggregated, {"spec": {"services": {name: main}}}, "v1alpha1")

    assert worker(made).args == [*ours, "--enforce-eager"]
    assert list(made.objects[-1]["spec"]["services"]) == ["Frontend", "VLLMWorker"]


def test_a_component_we_have_not_is_left_out_and_said(aggregated: Estimate) -> None:
    made = built(aggregated, {"spec": {"components": [{"name": "planner", "replicas": 1}]}})

    assert [view.name for view in views.of(made.objects[-1])] == ["Frontend", "worker"]
    assert any("speaks of planner" in note for note in made.notes)


def test_a_change_of_what_was_planned_is_said(aggregated: Estimate) -> None:
    made = built(aggregated, {"spec": {"components": [{"name": "worker", "replicas": 7}]}})

    assert worker(made).replicas == 7
    assert any("changes replicas of worker" in note for note in made.notes)


def test_a_change_that_the_platform_would_refuse_is_refused_here(aggregated: Estimate) -> None:
    with pytest.raises(ManifestError, match="an image tag is a version"):
        built(aggregated, component(image="mine:latest"))


def test_nothing_changes_when_nothing_is_asked(aggregated: Estimate) -> None:
    plain = graph.build(aggregated, plans.a_site())

    assert built(aggregated, {}).objects == plain.objects


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_a_limit_of_devices_is_a_request_too(aggregated: Estimate, api: str) -> None:
    if api == "v1beta1":
        change = component(resources={"limits": {"nvidia.com/gpu": "4"}})
    else:
        change = {"spec": {"services": {"worker": {"resources": {"limits": {"gpu": "4"}}}}}}

    made = built(aggregated, change, api)

    assert worker(made).limits["nvidia.com/gpu"] == worker(made).requests["nvidia.com/gpu"] == "4"
    assert "GPUs per pod" in "; ".join(made.notes)
