"""Fixtures of the tests on a real node: the node, the chart installed on it, and what was measured."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack

import pytest

from e2e import definitions
from e2e.backends import has_kind
from e2e.conftest import LOGS
from e2e.controlplane.build import BuildError
from e2e.node.node import Node, node
from e2e.node.on_kind import on_kind
from e2e.node.release import Release
from e2e.node.tools import NodeError
from e2e.processes import NotReady

MAY_LACK = "DGDR_NODE_MAY_LACK"
"""Set it where a machine that cannot run a node is no failure: the tests are skipped then, and say why."""
NOT_RUN = "NOT RUN"


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A cluster of one node, on this machine, with both kinds: kind's where that is, else one of our own."""
    folder = tmp_path_factory.mktemp("node")
    with ExitStack() as stack:
        try:
            running = stack.enter_context(on_kind(folder) if has_kind() else node(folder))
        except (BuildError, NodeError, NotReady) as error:
            if os.environ.get(MAY_LACK):
                pytest.skip(f"{NOT_RUN}: no node of our own comes up on this machine: {error}")
            pytest.fail(str(error), pytrace=False)
        request.config.stash.setdefault(LOGS, []).extend(running.cluster.logs)
        stack.enter_context(definitions.installed(running.cluster, definitions.default_origin()))
        yield running


@pytest.fixture(scope="session")
def release(machine: Node) -> Release:
    """The chart, installed with `helm upgrade --install --wait` into a namespace that enforces `restricted`."""
    found = Release(machine=machine)
    try:
        found.install()
    except NodeError as error:
        pytest.fail(f"{error}\n{found.report()}", pytrace=False)
    return found


@pytest.fixture
def namespace(machine: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace for a user's requests."""
    name = f"models-{abs(hash(request.node.name)) % 10_000}"
    machine.cluster.kubectl("create", "namespace", name)
    yield name
    machine.cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what the controller's pod said beside the failure that it may explain; its log goes with the pod."""
    report = yield
    found = getattr(item, "funcargs", {}).get("release")
    if report.failed and isinstance(found, Release):
        report.sections.append(("the controller's pod", found.report()))
    return report
