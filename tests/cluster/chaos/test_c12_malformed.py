"""C12: requests of any shape, let through by a definition that lets everything through."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from e2e.saying import Say
from tests.cluster.fuzzing import Dice, outcome
from tests.cluster.stage.stage import Stage
from tests.cluster.user import REQUESTS
from tests.fakes.api import Refused
from tests.fakes.definitions import own_definitions

DEFINITIONS = "customresourcedefinitions"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
AT_ONCE = 100


@pytest.fixture
def permissive(stage: Stage) -> Iterator[None]:
    """Requests of any shape are let through to the controller while this lasts."""
    strict = next(one for one in own_definitions() if one["spec"]["names"]["plural"] == REQUESTS)
    loose = copy.deepcopy(strict)
    loose["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": OPEN}
    stage.api.apply(DEFINITIONS, loose)
    stage.eventually(lambda: _takes(stage, "anything"), "the definition to be open")
    yield
    for body in stage.api.list(REQUESTS, stage.namespace)["items"]:
        stage.api.delete(REQUESTS, stage.namespace, body["metadata"]["name"])
    stage.api.apply(DEFINITIONS, strict)
    stage.eventually(lambda: not _takes(stage, "anything"), "the definition to be strict again")


def _takes(stage: Stage, spec: object) -> bool:
    try:
        stage.api.create(REQUESTS, _body(stage, "probe", spec))
    except Refused:
        return False
    stage.api.delete(REQUESTS, stage.namespace, "probe")
    return True


def _body(stage: Stage, name: str, spec: object) -> dict[str, object]:
    body = {"apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeploymentRequest"}
    return {**body, "metadata": {"name": name, "namespace": stage.namespace}, "spec": spec}


@pytest.mark.chaos
@pytest.mark.usefixtures("permissive")
@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.scale)])
def test_c12_requests_of_any_shape_come_to_an_end_in_words(stage: Stage, count: int, say: Say) -> None:
    dice, ends, refused, began = Dice(12), Counter[str](), 0, time.monotonic()
    for first in range(0, count, AT_ONCE):
        names = []
        for number in range(first, min(first + AT_ONCE, count)):
            try:
                stage.api.create(REQUESTS, dice.request(f"r{number}", stage.namespace))
                names.append(f"r{number}")
            except Refused:
                refused += 1  # what is no JSON object to any server, such as numbers beyond all bounds
        for name in names:
            stage.eventually(lambda name=name: outcome(stage.request(name)), f"{name} to come to an end", 180)  # type: ignore[misc]  # a lambda's default
        ends.update(outcome(stage.request(name)) for name in names)
    say(f"{count} random requests in {time.monotonic() - began:.0f} s: {dict(ends)}, refused by the server: {refused}")

    assert ends.total() + refused == count
    assert ends["Failed"]
    assert stage.replica.probe("healthz") == 200
    stage.api.delete(REQUESTS, stage.namespace, "chat")
    stage.ask("sane")
    stage.settled("sane")
