"""What a suite stands on: our fake API server, or a real control plane with our definitions and the chart's rights."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from e2e import backends, chart, definitions
from e2e.cluster import HOME, OURS, Cluster
from e2e.controlplane.build import BuildError
from tests.fakes import rights
from tests.fakes.api import Api
from tests.fakes.aside import Aside
from tests.fakes.definitions import own_definitions
from tests.fakes.proxy import Proxy
from tests.fakes.server import ApiServer

Which = Literal["fake", "real"]
ADMIN, OPERATOR = "admin-token", "operator-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """An API server with both kinds. *api*: its administrator; *token*: the controller's, with its rights only."""

    which: Which
    api: Api
    token: str
    aside: Aside

    @contextmanager
    def proxy(self) -> Iterator[Proxy]:
        """A chaos proxy in front of it."""
        proxy = Proxy(self.api.url, self.api.authority)
        self.aside.do(proxy.start)
        try:
            yield proxy
        finally:
            self.aside.do(proxy.stop)


@contextmanager
def standing(which: Which, folder: Path) -> Iterator[Ground]:
    """One of the two, while the context lasts."""
    with ExitStack() as stack:
        aside = stack.enter_context(Aside())
        yield stack.enter_context(_fake(aside) if which == "fake" else _real(aside, folder))


@contextmanager
def _fake(aside: Aside) -> Iterator[Ground]:
    server = ApiServer()
    aside.do(server.start)
    server.accounts[ADMIN] = rights.Account()
    server.accounts[OPERATOR] = rights.Account(user="operator", grants=_chart_grants())
    api = Api(server.url, ADMIN)
    for definition in own_definitions():
        api.create("customresourcedefinitions", definition)
    for name in ("default", HOME):
        api.create("namespaces", {"metadata": {"name": name}})
    try:
        yield Ground(which="fake", api=api, token=OPERATOR, aside=aside)
    finally:
        aside.do(server.stop)


def _chart_grants() -> tuple[rights.Grant, ...] | None:
    """The rights that the chart renders; None, and so all rights, where there is no helm to render them."""
    try:
        return rights.grants(chart.rights("operator"))
    except BuildError:
        return None


@contextmanager
def _real(aside: Aside, folder: Path) -> Iterator[Ground]:
    origin = definitions.Origin(whose="own")
    with backends.choose(folder) as cluster, definitions.installed(cluster, origin):
        operator = cluster.identity("operator")
        cluster.apply(*chart.rights("operator"))
        yield Ground(which="real", api=administrator(cluster), token=operator.token, aside=aside)


def administrator(cluster: Cluster) -> Api:
    """Somebody who may do anything in *cluster*, by a token: not every administrator has one of his own."""
    name = "stagehand"
    group, role = "rbac.authorization.k8s.io", {"kind": "ClusterRole", "name": "cluster-admin"}
    found = cluster.identity(name)
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{HOME}:{name}", "labels": {OURS: "true"}},
        "roleRef": {"apiGroup": group, **role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": HOME}],
    }
    cluster.apply(binding)
    config = yaml.safe_load(found.kubeconfig.read_text())
    authority = b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
    return Api(cluster.url, found.token, authority)
