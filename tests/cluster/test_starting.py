"""Starting and stopping: ready only when it can work, patient with a cluster that is not, and a clean end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientError, ClientSession

from dgdr_operator.controller.options import Options
from dgdr_operator.controller.run import Controller
from dgdr_operator.settings import Settings
from tests.cluster.user import User
from tests.fakes.definitions import own_definitions
from tests.fakes.server import ApiServer


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Probe:
    """Asks the probes of one controller."""

    def __init__(self, port: int, session: ClientSession) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = session

    async def ask(self, path: str) -> tuple[int, str]:
        """Status and text; 0 while nobody listens."""
        try:
            async with self._session.get(f"{self._url}/{path}") as answer:
                return answer.status, await answer.text()
        except ClientError:
            return 0, ""

    async def wait(self, path: str, status: int) -> str:
        """The text that comes with *status*, as soon as that is the answer."""
        for _ in range(600):
            found, text = await self.ask(path)
            if found == status:
                return text
            await asyncio.sleep(0.05)
        raise AssertionError(f"{path} answered {found}, not {status}: {text}")


@asynccontextmanager
async def started() -> AsyncIterator[Probe]:
    """A whole replica at work; leaving stops it in order."""
    port = free_port()
    options = Options(namespace=None, probe_address="127.0.0.1", probe_port=port, slots=1, log_level="info")
    controller = Controller(options, Settings())
    work = asyncio.create_task(controller.run())
    async with ClientSession() as session:
        yield Probe(port, session)
    controller.stop()
    await work


@pytest.mark.usefixtures("server")
async def test_k22_a_replica_is_alive_then_ready_and_counts_what_it_does(user: User) -> None:
    async with started() as probe:
        await probe.wait("readyz", 200)
        await user.ask("chat")
        await user.wait(lambda: user.graph("chat-dgd"), "the graph")
        alive, (_, counted) = await probe.ask("healthz"), await probe.ask("metrics")

    assert alive == (200, "ok")
    assert 'controller_runtime_reconcile_total{controller="dgdr",result="success"}' in counted
    assert 'rest_client_requests_total{code="200",method="PATCH"}' in counted


async def test_k15_a_cluster_that_hides_a_core_kind_is_served_by_the_sweep(server: ApiServer, user: User) -> None:
    server.served.hide("namespaces")
    await user.ask("chat")

    async with started() as probe:
        await probe.wait("readyz", 200)
        await user.wait(lambda: user.graph("chat-dgd"), "the graph")


async def test_k14_a_cluster_without_the_kinds_is_waited_for(server: ApiServer, user: User) -> None:
    definitions = own_definitions()
    for definition in definitions:
        server.served.withdraw(definition)
    async with started() as probe:
        said = await probe.wait("readyz", 503)
        for definition in definitions:
            server.served.define(definition)
        await probe.wait("readyz", 200)
        await user.ask("chat")
        await user.wait(lambda: user.graph("chat-dgd"), "the graph")

    assert "waiting for dynamographdeploymentrequests" in said


def started_by_hand(*flags: str, **environment: str) -> tuple[int, str]:
    """Exit code and last words of `python -m dgdr_operator`, which has to end by itself."""
    path = os.pathsep.join(part for part in sys.path if part)
    done = subprocess.run(
        [sys.executable, "-m", "dgdr_operator", f"--probe-port={free_port()}", "--probe-address=127.0.0.1", *flags],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KUBECONFIG", "/nowhere", "cannot start: no way to a cluster"),
        ("DGDR_FABRIC_PROFILE", "infiniband", "cannot start: DGDR_FABRIC_PROFILE"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_one_line(variable: str, value: str, said: str) -> None:
    code, words = started_by_hand(**{variable: value})

    assert code == 1
    assert said in words
    assert "Traceback" not in words


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, words = started_by_hand(f"--probe-port={port}")

    assert code == 1
    assert str(port) in words
    assert "Traceback" not in words


def test_a_flag_that_is_wrong_is_bad_usage() -> None:
    code, words = started_by_hand("--namespace", "a", "--all-namespaces")

    assert code == 2
    assert "not allowed with" in words
