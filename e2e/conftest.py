"""Fixtures of the tests against a real API server: the cluster, its two kinds, a namespace, the controller."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from kubernetes import client

from e2e import backends, chart, definitions
from e2e.cluster import Cluster, Identity
from e2e.controlplane.build import BuildError
from e2e.dynamo_operator import DynamoOperator, connect
from e2e.operator_process import OperatorProcess
from e2e.processes import NotReady, tail
from e2e.saying import say
from e2e.user import User, user_of

__all__ = ["say"]

HERE = Path(__file__).parent
LOGS = pytest.StashKey[list[Path]]()

StartOperator = Callable[..., OperatorProcess]


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server; see e2e/backends.py for which."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(backends.choose(tmp_path_factory.mktemp("cluster")))
        except (BuildError, NotReady) as error:
            pytest.fail(str(error), pytrace=False)
        request.config.stash.setdefault(LOGS, []).extend(running.logs)
        yield running


@pytest.fixture(scope="session")
def crds(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[definitions.Origin]:
    """Both kinds, served in one version; choose another origin with an indirect, session-scoped parameter."""
    chosen: definitions.Origin | None = getattr(request, "param", None)
    with definitions.installed(cluster, chosen or definitions.default_origin()) as origin:
        if chosen is not None and origin != chosen:
            pytest.skip("this cluster has definitions of its own, and they stay")
        yield origin


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[client.CustomObjectsApi]:
    """The client package's custom objects, as the administrator: for tests that cannot wait for a kubectl each time."""
    with connect(config_file=str(cluster.kubeconfig)) as connection:
        yield client.CustomObjectsApi(connection)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A fresh namespace with a short name; its deletion goes on behind the next test."""
    name = f"t-{secrets.token_hex(3)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def user(cluster: Cluster, namespace: str, crds: definitions.Origin) -> Iterator[User]:
    """Someone who uses the controller in this test's namespace."""
    del crds  # must be there, is not looked at
    with user_of(cluster, namespace) as found:
        yield found


@pytest.fixture(scope="session")
def identities(cluster: Cluster) -> Mapping[str, Identity]:
    """The controller, with the rights that the chart renders, and the stand-in with those of rights.yaml; by name."""
    found = {name: cluster.identity(name) for name in ("operator", "dynamo-operator")}
    try:
        cluster.apply(*chart.rights("operator"), *yaml.safe_load_all((HERE / "rights.yaml").read_text()))
    except BuildError as error:
        pytest.fail(str(error), pytrace=False)
    return found


@pytest.fixture
def start_operator(
    request: pytest.FixtureRequest, identities: Mapping[str, Identity], crds: definitions.Origin, tmp_path: Path
) -> Iterator[StartOperator]:
    """Starts `python -m dgdr_operator` with the given flags, under a service account that has its rights only."""
    del crds  # must be there, is not looked at
    logs = request.config.stash.setdefault(LOGS, [])
    with ExitStack() as stack:

        def start(*flags: str) -> OperatorProcess:
            log = tmp_path / f"operator-{secrets.token_hex(2)}.log"
            logs.append(log)
            stack.callback(logs.remove, log)
            process = OperatorProcess(identities["operator"], flags, log=log)
            stack.callback(process.close)
            process.start()
            return process

        yield start


@pytest.fixture
def operator(start_operator: StartOperator, namespace: str) -> OperatorProcess:
    """The controller, ready, looking at this test's namespace only."""
    return start_operator("--namespace", namespace)


@pytest.fixture
def dynamo_operator(
    identities: Mapping[str, Identity], crds: definitions.Origin, namespace: str
) -> Iterator[DynamoOperator]:
    """The stand-in for the Dynamo operator, at work in this test's namespace."""
    stand_in = DynamoOperator(identities["dynamo-operator"], namespace, crds.version)
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the end of every log beside the failure that it may explain."""
    report = yield
    if report.failed:
        for log in item.config.stash.get(LOGS, []):
            report.sections.append((str(log), tail(log)))
    return report
