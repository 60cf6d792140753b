"""What is missing is said before a graph is created, and the graph comes when it is there: on a real API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.cluster import Cluster
from e2e.user import Object, User, example, with_spec
from e2e.waiting import eventually

pytestmark = pytest.mark.usefixtures("operator")


CACHE = {"pvcName": "model-cache", "pvcMountPath": "/opt/models"}
LOOKS_AGAIN = 60.0
"""Seconds until the controller must have looked again; it does every quarter of a minute."""


def claim(namespace: str, mode: str) -> Object:
    """A claim for the model cache; nobody binds it here, and nobody has to."""
    wanted = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "model-cache", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": wanted}


def condition(user: User, name: str, kind: str) -> Mapping[str, Any]:
    """One condition of the live request."""
    found = (one for one in user.status(name).get("conditions", ()) if one["type"] == kind)
    return next(found, {})


def annotated(body: Object, **own: str) -> Object:
    """*body* with annotations of ours; underscores stand for dashes."""
    told = {f"dgdr-operator.io/{name.replace('_', '-')}": value for name, value in own.items()}
    return {**body, "metadata": {**body["metadata"], "annotations": told}}


def disaggregated(name: str, fabric: str) -> Object:
    """A request that is answered by pools of prefill and decode workers, over a network that is named."""
    body = example("03", name)
    body["spec"].pop("modelCache")
    return annotated(body, fabric=fabric, pin="mode=disaggregated")


def test_what_is_missing_is_named_and_the_graphs_come_when_it_is_there(user: User, cluster: Cluster) -> None:
    level = "pod-security.kubernetes.io/enforce"
    cluster.kubectl("label", "namespace", user.namespace, f"{level}=baseline")
    gated = with_spec(example("01", "gated"), model="meta-llama/Llama-3.1-8B-Instruct", autoApply=True)
    cached = with_spec(example("01", "cached"), modelCache=CACHE, autoApply=True)
    walled = with_spec(disaggregated("walled", "ib=rdma/ib"), autoApply=True)

    user.apply(gated, cached, walled)

    for name in ("gated", "cached", "walled"):
        user.wait(name, "Failed")
    assert condition(user, "cached", "Validation")["reason"] == "ValidationFailed"
    assert "claim model-cache of the model cache does not exist" in user.message("cached")
    assert "the Secret hf-token-secret does not exist" in user.message("gated")
    told = condition(user, "walled", "FabricReady")
    assert (told["status"], told["reason"]) == ("False", "PodSecurity")
    assert user.graphs() == []

    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"HF_TOKEN": "x"}}
    cluster.apply(
        claim(user.namespace, "ReadWriteOnce"),
        {**secret, "metadata": {"name": "hf-token-secret", "namespace": user.namespace}},
    )
    cluster.kubectl("label", "--overwrite", "namespace", user.namespace, f"{level}=privileged")

    eventually(lambda: len(user.graphs()) == 3, "three graphs", seconds=LOOKS_AGAIN)
    eventually(lambda: condition(user, "walled", "FabricReady").get("reason") == "RDMA", "RDMA to be ready")
    eventually(lambda: condition(user, "cached", "Validation").get("status") == "True", "a valid request")


def test_what_only_some_models_need_is_told_and_keeps_nothing_back(user: User) -> None:
    user.apply(with_spec(example("01", "open"), autoApply=True))

    user.wait_graph("open-dgd")

    eventually(lambda: "hf-token-secret does not exist" in str(user.status("open")), "the Secret to be missed")
    assert condition(user, "open", "Validation")["status"] == "True"


def test_a_claim_for_one_node_does_not_do_for_several(user: User, cluster: Cluster) -> None:
    cluster.apply(claim(user.namespace, "ReadWriteOnce"))
    asked = disaggregated("spread", "efa=vpc.amazonaws.com/efa")

    user.apply(with_spec(asked, modelCache=CACHE, autoApply=True))

    user.wait("spread", "Failed")
    assert "it has to be ReadWriteMany" in user.message("spread")
    assert user.graphs() == []
