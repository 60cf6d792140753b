"""Two bells do not hear each other, and what is said beside one is not posted: with the watch library's defaults, both.

The library locks by objects of its own kind and posts into Events; here is a cluster that would let it do so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import kopf
import pytest

from dgdr_operator.controller.apply import Kinds
from dgdr_operator.controller.cluster import GRAPH_PLURAL, REQUEST_PLURAL, Cluster, preferred
from dgdr_operator.controller.doorbell import Doorbell
from tests.cluster.user import User
from tests.fakes.asked import Object
from tests.fakes.resources import Resource
from tests.fakes.server import ApiServer

PEERINGS = "clusterkopfpeerings"
Rung = list[str]
"""The names of the requests for which a bell rang."""


class Shouting(Doorbell):
    """A bell beside which somebody tells everything to the watch library, too."""

    def _call_home(self, call: Callable[..., None], *arguments: object) -> None:
        super()._call_home(call, *arguments)
        if arguments:
            kopf.info(arguments[-1], reason="Shouted", message="something happened")  # type: ignore[arg-type]  # an object


@pytest.fixture
async def kinds(cluster: Cluster) -> Kinds:
    """What the cluster serves."""
    served = await cluster.served()
    request, graph = preferred(served, REQUEST_PLURAL), preferred(served, GRAPH_PLURAL)
    assert request is not None
    assert graph is not None
    return Kinds(request=request, graph=graph)


@pytest.fixture
async def hang(kinds: Kinds) -> AsyncIterator[Callable[[type[Doorbell]], Rung]]:
    """Hangs up a bell of some make, and answers with what it rings."""
    hung: list[Doorbell] = []

    def up(make: type[Doorbell]) -> Rung:
        rung: Rung = []

        def ring(_: str, __: str, body: Object) -> None:
            rung.append(body["metadata"]["name"])

        bell = make(kinds, None, ring, lambda: None)
        hung.append(bell)
        bell.open()
        return rung

    yield up
    await asyncio.gather(*(bell.close(10.0) for bell in hung))


async def test_k19_two_replicas_do_not_freeze_each_other(
    user: User, server: ApiServer, hang: Callable[[type[Doorbell]], Rung]
) -> None:
    kind = Resource(group="kopf.dev", version="v1", plural=PEERINGS, kind="ClusterKopfPeering", namespaced=False)
    server.served.serve(kind)
    about = {"apiVersion": "kopf.dev/v1", "kind": "ClusterKopfPeering", "metadata": {"name": "default"}}
    await server.put(PEERINGS, about)

    bells = [hang(Doorbell), hang(Doorbell)]
    await user.ask("first")
    await user.wait(lambda: all("first" in rung for rung in bells), "both to ring")
    await asyncio.sleep(1)  # time for them to find each other, if they looked
    await user.ask("second")

    await user.wait(lambda: all("second" in rung for rung in bells), "both to ring again")
    assert [asked for asked in server.log if asked.resource.startswith(PEERINGS)] == []


async def test_k20_what_is_said_to_the_watch_library_is_not_posted(
    user: User, server: ApiServer, hang: Callable[[type[Doorbell]], Rung]
) -> None:
    server.served.serve(Resource(group="", version="v1", plural="events", kind="Event"))  # where it would post

    rung = hang(Shouting)
    await user.ask("first")
    await user.wait(lambda: "first" in rung, "the bell to ring")
    await asyncio.sleep(1)

    assert server.writes == []
