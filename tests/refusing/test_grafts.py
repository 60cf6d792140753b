"""A partial graph that would not fit is refused at the field that does not, before anything is planned."""

from typing import Any

import pytest

from dgdr_operator import spec
from dgdr_operator.errors import InvalidSpec


def read(change: dict[str, Any], version: str = "v1beta1") -> None:
    """Reads a request with *change* as the spec of its override."""
    dgd = {"apiVersion": f"nvidia.com/{version}", "kind": "DynamoGraphDeployment", "spec": change}
    spec.read({"metadata": {"name": "a"}, "spec": {"model": "a/b", "overrides": {"dgd": dgd}}})


def component(**fields: object) -> dict[str, Any]:
    """A change of one component."""
    return {"components": [{"name": "worker", **fields}]}


def container(**fields: object) -> dict[str, Any]:
    """A change of one main container."""
    return component(podTemplate={"spec": {"containers": [{"name": "main", **fields}]}})


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        ({"component": []}, "component", "did you mean components?"),
        ({"services": {}}, "services", "is not a field here"),
        ({"components": {}}, "components", "must be a list of objects with a name"),
        ({"components": [{}]}, "components", "must be a list of objects with a name"),
        (component(replica=1), "components[0].replica", "did you mean replicas?"),
        (component(replicas="two"), "components[0].replicas", "must be a whole number, not 'two'"),
        (component(replicas=-1), "components[0].replicas", "must be a whole number"),
        (component(multinode=2), "components[0].multinode", "must be an object, not 2"),
        (component(sharedMemorySize=[]), "components[0].sharedMemorySize", "must be a quantity such as 16Gi"),
        (container(args="--x"), "components[0].podTemplate.spec.containers[0].args", "must be a list of texts"),
        (container(env=[{"value": "1"}]), "components[0].podTemplate.spec.containers[0].env", "with a name"),
        (
            container(resources={"limits": {"nvidia.com/gpu": "two"}}),
            "components[0].podTemplate.spec.containers[0].resources.limits.nvidia.com/gpu",
            "must be a whole number, as text, not 'two'",
        ),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(change: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read(change)

    assert refused.value.path == f"spec.overrides.dgd.spec.{path}"
    assert problem in refused.value.problem


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        ({"services": {"Frontend": "x"}}, "services.Frontend", "must be an object, not 'x'"),
        ({"services": {"a": {"envs": {}}}}, "services.a.envs", "must be a list of objects with a name"),
        ({"services": {"a": {"resources": {"limits": {"gpu": []}}}}}, "services.a.resources.limits", "of quantities"),
        ({"services": {"a": {"podTemplate": {}}}}, "services.a.podTemplate", "is not a field here"),
        ({"components": []}, "components", "is not a field here"),
    ],
)
def test_v1alpha1_has_fields_of_its_own(change: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        read(change, "v1alpha1")

    assert refused.value.path == f"spec.overrides.dgd.spec.{path}"
    assert problem in refused.value.problem


def test_what_the_core_api_defines_is_left_to_it() -> None:
    volume = {"name": "scratch", "image": {"reference": "x:1.0.0"}}

    read(component(podTemplate={"spec": {"volumes": [volume], "affinity": {"nodeAffinity": {}}}}))
    read({"services": {"args": {"extraPodSpec": {"volumes": [volume]}}}}, "v1alpha1")
