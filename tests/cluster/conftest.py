"""A small API server, and the whole controller at work on it, in this process."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.cluster import GRAPH_PLURAL, REQUEST_PLURAL, Cluster, preferred
from dgdr_operator.controller.life import Life, Scope
from dgdr_operator.settings import Settings
from e2e.controlplane.build import BuildError
from e2e.processes import NotReady
from e2e.saying import say
from e2e.upstream import at_work
from e2e.waiting import eventually
from tests.cluster.stage.dynamo import Dynamo
from tests.cluster.stage.ground import Ground, Which, standing
from tests.cluster.stage.replica import HURRY, Replica
from tests.cluster.stage.stage import Cast, Mode, Stage
from tests.cluster.stage.witness import Witness, broken, trespasses
from tests.cluster.user import User
from tests.fakes.definitions import own_definitions
from tests.fakes.server import ApiServer

__all__ = ["say"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What plays on the stage takes its time: it is no part of the quick tests, and some of it is played only once."""
    for item in items:
        if "stage" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.chaos)
    if config.getoption("--control-plane") == "fake":
        items[:] = [item for item in items if item.get_closest_marker("real") is None]


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    """The API server, with KUBECONFIG pointing to it."""
    running = ApiServer()
    for definition in own_definitions():
        running.served.define(definition)
    await running.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": running.url}}],
        "users": [{"name": "test", "user": {"token": "secret"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield running
    await running.stop()


@pytest.fixture
async def cluster(server: ApiServer) -> AsyncIterator[Cluster]:
    """A connection to it."""
    del server  # must listen
    connection = await Cluster.connect()
    yield connection
    await connection.close()


@pytest.fixture
async def controller(cluster: Cluster) -> AsyncIterator[Life]:
    """The controller, at work; its fall fails the test."""
    served = await cluster.served()
    request, graph = preferred(served, REQUEST_PLURAL), preferred(served, GRAPH_PLURAL)
    assert request is not None
    assert graph is not None
    settings = Settings(graph_versions=("v1beta1",))
    scope = Scope(kinds=Kinds(request=request, graph=graph), namespace=None, slots=1, settings=settings)
    life = Life(cluster, scope, Clock())
    stop = asyncio.Event()
    work = asyncio.create_task(life.last(stop, asyncio.create_task(_never())))
    yield life
    stop.set()
    await work


async def _never() -> None:
    await asyncio.Event().wait()


@pytest.fixture
def user(server: ApiServer) -> User:
    """Someone who uses the controller."""
    return User(server)


@pytest.fixture(scope="session")
def ground(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The API server that the shared suites run on: our fake, or a real one with `--control-plane=real`."""
    which: Which = pytestconfig.getoption("--control-plane")
    with ExitStack() as stack:
        try:
            found = stack.enter_context(standing(which, tmp_path_factory.mktemp("ground")))
        except (BuildError, NotReady) as error:
            pytest.fail(str(error), pytrace=False)
        yield found


@pytest.fixture
def namespace(ground: Ground) -> Iterator[str]:
    """A fresh namespace; its deletion goes on behind the next test."""
    name = f"t-{secrets.token_hex(3)}"
    ground.api.create("namespaces", {"metadata": {"name": name}})
    yield name
    ground.api.delete("namespaces", "", name)


@pytest.fixture(scope="session", name="eventually")
def eventually_fixture() -> Callable[..., object]:
    """Polls until something is true."""
    return partial(eventually, seconds=60.0)


@pytest.fixture(scope="session")
def cast(
    ground: Ground,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Cast]:
    """A replica that lives through all chaos of this session, and those who watch it; its mode is the parameter.

    It sweeps every second, unless the session holds long forms: a thousand requests a second are no rest.
    """
    mode: Mode = getattr(request, "param", "auto")
    folder = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        proxy = stack.enter_context(ground.proxy())
        fake = ground.which == "fake"
        platform = stack.enter_context(at_work(ground.api, finishes=fake)) if mode == "plugin" else None
        dynamo, witness = Dynamo(ground.api), Witness(ground.api)
        for one in (dynamo, witness):
            one.start()
            stack.callback(one.close)
        hurried = pytestconfig.getoption("markexpr") == "not scale"
        hurry = HURRY if hurried else {**HURRY, "sweep.PERIOD": 20.0}
        replica = Replica(folder, proxy.url, ground.token, (f"--mode={mode}",), hurry)
        stack.callback(replica.close)
        yield Cast(
            ground=ground,
            mode=mode,
            platform=platform,
            proxy=proxy,
            replica=replica,
            dynamo=dynamo,
            witness=witness,
            folder=folder,
        )


@pytest.fixture
def stage(cast: Cast, namespace: str, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The cast, calm and ready; afterwards the promises that hold at every instant are judged, and its log is read."""
    cast.proxy.calm()
    cast.dynamo.idle = cast.dynamo.fail = False
    cast.replica.keep()
    cast.replica.wait_ready()
    known = len(cast.replica.faults())
    stage = Stage(cast=cast, namespace=namespace)
    yield stage
    cast.proxy.calm()
    if request.session.testsfailed:
        print(cast.replica.words())  # noqa: T201 - shown beside the failure it may explain
    protocol = cast.witness.protocol(namespace)
    assert broken(protocol) == []
    assert not stage.plugin or trespasses(protocol) == []
    assert cast.platform is None or cast.platform.faults == []
    assert cast.replica.faults()[known:] == []
