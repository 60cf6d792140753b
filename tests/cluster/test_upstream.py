"""Is the platform's own controller of requests here? Each sign alone says so, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dgdr_operator.controller.cache import Cache
from dgdr_operator.controller.cluster import Cluster
from dgdr_operator.controller.modes import FINALIZER, Mode
from dgdr_operator.controller.upstream import WEBHOOK, Upstream
from tests.fakes.asked import Fault
from tests.fakes.server import ApiServer

LABELS = {"app.kubernetes.io/part-of": "dynamo-operator", "control-plane": "controller-manager"}


def hook(name: str) -> dict[str, Any]:
    """A webhook configuration."""
    return {"metadata": {"name": "hooks"}, "webhooks": [{"name": name}]}


def deployment(available: int, labels: dict[str, str]) -> dict[str, Any]:
    """A Deployment."""
    metadata = {"name": "manager", "namespace": "dynamo", "labels": labels}
    return {"metadata": metadata, "status": {"availableReplicas": available}}


@pytest.mark.parametrize(
    ("plural", "body", "there"),
    [
        ("validatingwebhookconfigurations", hook(WEBHOOK), True),
        ("validatingwebhookconfigurations", hook("another.hook"), False),
        ("deployments", deployment(1, LABELS), True),
        ("deployments", deployment(0, LABELS), False),
        ("deployments", deployment(1, {"control-plane": "controller-manager"}), False),
    ],
)
async def test_a_sign_in_the_cluster(
    plural: str, body: dict[str, Any], server: ApiServer, cluster: Cluster, *, there: bool
) -> None:
    await server.put(plural, body)
    told: list[bool] = []
    upstream = Upstream(cluster, Cache(), "auto", lambda: told.append(upstream.active))

    assert await upstream.look()

    assert upstream.active is there
    assert told == [True] * there


async def test_its_finalizer_on_a_request_is_a_sign_and_when_that_goes_it_is_gone(cluster: Cluster) -> None:
    cache = Cache()
    metadata = {"name": "chat", "namespace": "team", "resourceVersion": "1", "finalizers": [FINALIZER]}
    cache.requests.put({"metadata": metadata})
    told: list[bool] = []
    upstream = Upstream(cluster, cache, "auto", lambda: told.append(upstream.active))
    await upstream.look()

    cache.requests.put({"metadata": {**metadata, "resourceVersion": "2", "finalizers": []}})
    await upstream.look()

    assert told == [True, False]


async def test_what_may_not_be_looked_at_says_nothing_and_a_silent_server_is_asked_again(
    server: ApiServer, cluster: Cluster
) -> None:
    upstream = Upstream(cluster, Cache(), "auto", lambda: None)
    sentence = 'User "x" cannot list resource "deployments" in API group "apps" at the cluster scope'

    server.fault = lambda asked: Fault(status=403, message=sentence) if asked.verb == "list" else None
    denied = await upstream.look()
    server.fault = lambda asked: Fault(status=503, message="later") if asked.verb == "list" else None
    silent = await upstream.look()

    assert (denied, silent, upstream.active) == (True, False, False)


@pytest.mark.parametrize(("mode", "active"), [("owner", False), ("plugin", True)])
async def test_a_mode_that_is_set_needs_no_sign(
    mode: Mode, cluster: Cluster, server: ApiServer, *, active: bool
) -> None:
    upstream = Upstream(cluster, Cache(), mode, lambda: None)
    swept = asyncio.Event()
    swept.set()

    watch = asyncio.create_task(upstream.watch(swept))
    await upstream.looked.wait()
    watch.cancel()

    assert upstream.active is active
    assert [asked for asked in server.log if asked.verb == "list"] == []
