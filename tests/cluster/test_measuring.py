"""A graph that serves is measured where its request wants that, once per plan, and the request says what came of it."""

from __future__ import annotations

import copy
import json

import pytest

from dgdr_operator.controller.life import Life
from tests.cluster.user import NAMESPACE, REQUESTS, User
from tests.fakes.asked import Name, Object
from tests.fakes.server import ApiServer

JOBS, PODS = "jobs", "pods"
AVERAGES = {
    "time_to_first_token": {"unit": "ms", "avg": 209.0},
    "inter_token_latency": {"unit": "ms", "avg": 15.1},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 3462.0},
}


async def serving(user: User, server: ApiServer, validate: str = "true") -> None:
    """A request whose graph serves."""
    await user.ask("chat")
    body = copy.deepcopy(user.request("chat"))
    body["metadata"]["annotations"] = {"dgdr-operator.io/validate": validate}
    await server.put(REQUESTS, body)
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    await user.report("chat-dgd", "successful")
    await user.wait(lambda: user.status("chat").get("phase") == "Deployed", "the graph to serve")


def jobs(server: ApiServer) -> dict[Name, Object]:
    """All Jobs."""
    return dict(server.store.objects[JOBS])


async def ended(server: ApiServer, how: str, last_words: str) -> None:
    """The Job's pod leaves *last_words*, and the Job is told to have ended."""
    ((_, name),) = jobs(server)
    state = {"terminated": {"exitCode": 0, "message": last_words}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-x", "namespace": NAMESPACE, "labels": {"batch.kubernetes.io/job-name": name}},
        "spec": {"containers": [{"name": "aiperf", "image": "x"}]},
        "status": {"phase": "Succeeded", "containerStatuses": [{"name": "aiperf", "state": state}]},
    }
    await server.put(PODS, pod)
    job = copy.deepcopy(jobs(server)[NAMESPACE, name])
    job["status"] = {"conditions": [{"type": how, "status": "True"}]}
    await server.put(JOBS, job)


@pytest.mark.usefixtures("controller")
async def test_a_serving_graph_is_measured_under_the_load_of_its_plan(user: User, server: ApiServer) -> None:
    await serving(user, server)
    await user.wait(lambda: user.condition("chat", "Validated"), "the measurement to begin")

    (job,) = jobs(server).values()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert "http://chat-dgd-frontend:8000" in container["args"][0]
    assert [one["uid"] for one in job["metadata"]["ownerReferences"]] == [user.request("chat")["metadata"]["uid"]]
    assert user.condition("chat", "Validated")["reason"] == "Measuring"
    assert user.status("chat")["phase"] == "Deployed"


@pytest.mark.parametrize(
    ("ttft", "stand", "reason"), [(209.0, "True", "PromisesKept"), (2001.0, "False", "PromisesBroken")]
)
async def test_the_request_says_what_was_measured(
    user: User, server: ApiServer, controller: Life, ttft: float, stand: str, reason: str
) -> None:
    await serving(user, server)
    await user.wait(lambda: jobs(server), "the Job")
    measured = {**AVERAGES, "time_to_first_token": {"unit": "ms", "avg": ttft}}

    await ended(server, "Complete", json.dumps(measured))
    controller.sweep()
    await user.report("chat-dgd", "successful")

    await user.wait(lambda: user.condition("chat", "Validated").get("status") == stand, "the verdict")
    condition = user.condition("chat", "Validated")
    assert condition["reason"] == reason
    assert f"ttft {ttft:.4g} ms," in condition["message"]
    assert "2000 ms at most; itl 15.1 ms," in condition["message"]
    assert user.condition("chat", "Synced")["status"] == "True"


async def test_a_measurement_that_failed_is_told_and_not_repeated(
    user: User, server: ApiServer, controller: Life
) -> None:
    await serving(user, server)
    await user.wait(lambda: jobs(server), "the Job")

    await ended(server, "Failed", "no route to host")
    controller.sweep()
    await user.report("chat-dgd", "successful")

    await user.wait(lambda: user.condition("chat", "Validated").get("reason") == "MeasurementFailed", "the verdict")
    assert "no route to host" in user.condition("chat", "Validated")["message"]
    assert len(jobs(server)) == 1


@pytest.mark.usefixtures("controller")
async def test_nobody_is_measured_unasked(user: User, server: ApiServer) -> None:
    await serving(user, server, validate="false")

    assert not jobs(server)
    assert not user.condition("chat", "Validated")
