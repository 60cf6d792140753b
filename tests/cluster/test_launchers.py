"""Whether workers may span nodes is read from what the cluster serves."""

from __future__ import annotations

import pytest

from dgdr_operator.controller import run
from dgdr_operator.controller.cluster import Cluster
from tests.fakes.asked import Object
from tests.fakes.server import ApiServer


def definition(group: str, kind: str) -> Object:
    """A kind of *group*, as its installation defines it."""
    plural = f"{kind.lower()}s"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [version]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("group", "kind", "launches"),
    [
        ("grove.io", "PodCliqueSet", True),
        ("leaderworkerset.x-k8s.io", "LeaderWorkerSet", True),
        ("example.org", "PodCliqueSet", False),
    ],
)
async def test_workers_span_nodes_where_their_launcher_is_installed(
    server: ApiServer, cluster: Cluster, group: str, kind: str, *, launches: bool
) -> None:
    bare = await run.looked(cluster)
    server.served.define(definition(group, kind))

    kinds = await run.looked(cluster)

    assert bare is not None
    assert bare.launcher is False
    assert kinds is not None
    assert kinds.launcher is launches
    assert (kinds == bare) is not launches
