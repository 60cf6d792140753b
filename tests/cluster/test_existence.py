"""The controller looks before it creates: what is missing is said, and of a Secret nothing but its name is seen."""

from __future__ import annotations

import pytest

from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import SECRETS, Cluster
from dgdr_operator.controller.existence import GOOD_FOR, Existence
from tests.cluster.user import NAMESPACE, User
from tests.fakes.asked import Fault
from tests.fakes.server import ApiServer

CACHE = {"pvcName": "model-cache", "pvcMountPath": "/opt/models"}
TOKEN = {"metadata": {"name": "hf-token-secret", "namespace": NAMESPACE}, "data": {"HF_TOKEN": "aGlkZGVu"}}
CLAIM = {"metadata": {"name": "model-cache", "namespace": NAMESPACE}, "spec": {"accessModes": ["ReadWriteMany"]}}


@pytest.mark.usefixtures("controller")
async def test_without_its_claim_a_request_fails_before_anything_is_created(server: ApiServer, user: User) -> None:
    await user.ask("chat", modelCache=CACHE)
    await user.wait_phase("chat", "Failed")

    assert user.condition("chat", "Validation")["reason"] == "ValidationFailed"
    assert "the claim model-cache of the model cache does not exist" in user.condition("chat", "Succeeded")["message"]
    assert not [asked for asked in server.writes if asked.plural == "dynamographdeployments"]


@pytest.mark.usefixtures("controller")
async def test_with_its_claim_it_is_served_and_secrets_are_asked_for_by_metadata_alone(
    server: ApiServer, user: User
) -> None:
    await server.store.put("persistentvolumeclaims", CLAIM)
    await server.store.put("secrets", TOKEN)
    await user.ask("chat", modelCache=CACHE)

    await user.wait(lambda: user.graph("chat-dgd"), "the graph")

    asked = [one for one in server.log if one.plural == "secrets"]
    assert asked
    assert all(one.verb == "get" and "as=PartialObjectMetadata" in one.accept for one in asked)
    assert user.condition("chat", "Validation")["message"] == "the request is valid"


async def test_the_content_of_a_secret_does_not_reach_the_process(server: ApiServer, cluster: Cluster) -> None:
    await server.store.put("secrets", TOKEN)

    found = await cluster.metadata(SECRETS, NAMESPACE, "hf-token-secret")

    assert found["metadata"]["name"] == "hf-token-secret"
    assert "data" not in found


def needing(claim: str) -> dict[str, object]:
    """A graph that mounts a claim."""
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": claim}}
    pod = {"volumes": [volume], "containers": [{"name": "main"}]}
    component = {"name": "worker", "type": "worker", "podTemplate": {"spec": pod}}
    return {"apiVersion": "nvidia.com/v1beta1", "metadata": {"name": "g"}, "spec": {"components": [component]}}


async def test_many_requests_that_need_the_same_ask_once_in_a_while(server: ApiServer, cluster: Cluster) -> None:
    now = [0.0]
    existence = Existence(cluster, Clock(seconds=lambda: now[0]))

    for _ in range(3):
        assert [gap.blocks for gap in await existence.gaps(needing("c"), NAMESPACE)] == [True]
    await server.store.put("persistentvolumeclaims", {"metadata": {"name": "c", "namespace": NAMESPACE}, "spec": {}})
    now[0] = GOOD_FOR + 1

    assert await existence.gaps(needing("c"), NAMESPACE) == ()
    assert [asked.plural for asked in server.log].count("persistentvolumeclaims") == 2


async def test_what_may_not_be_looked_at_counts_as_there(server: ApiServer, cluster: Cluster) -> None:
    sentence = 'User "x" cannot get resource "persistentvolumeclaims" in API group "" in the namespace "team"'
    server.fault = lambda _: Fault(status=403, message=sentence)

    assert await Existence(cluster, Clock()).gaps(needing("c"), NAMESPACE) == ()
