"""Living with a plan, from annotation to graph: the report, approval, the way back, and the change of shape."""

from __future__ import annotations

import json

import pytest

from dgdr_operator.controller import record, review
from dgdr_operator.planned import APPROVE, PAUSE, ROLLBACK
from tests.cluster.user import GRAPHS, NAMESPACE, REQUESTS, User
from tests.fakes.asked import Object
from tests.fakes.server import ApiServer

CONFIG_MAPS = "configmaps"


def report(server: ApiServer, name: str = "chat") -> Object:
    """The report of the request, or nothing."""
    return server.store.objects[CONFIG_MAPS].get((NAMESPACE, f"dgdr-report-{name}"), {})


def plan(user: User, name: str = "chat") -> str:
    """The hash of the recorded plan."""
    selected = (user.status(name).get("profilingResults") or {}).get("selectedConfig") or {"metadata": {}}
    return str((selected["metadata"].get("annotations") or {}).get("dgdr-operator.io/plan", ""))


def remembered(server: ApiServer) -> list[str]:
    """The plans in the report, newest first."""
    return [str(entry["plan"]) for entry in record.history(report(server))]


async def say(server: ApiServer, annotation: str, value: str, name: str = "chat") -> None:
    """The user annotates the request."""
    body = json.loads(json.dumps(server.store.objects[REQUESTS][NAMESPACE, name]))
    body["metadata"].setdefault("annotations", {})[annotation] = value
    await server.store.put(REQUESTS, body)


def graphs(server: ApiServer) -> list[str]:
    """The names of the graphs that stand."""
    return sorted(name for _, name in server.store.objects[GRAPHS])


@pytest.mark.usefixtures("controller")
async def test_a_plan_comes_with_a_report_that_goes_when_the_request_does(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: report(server), "the report")

    found = report(server)

    assert {"plan.yaml", "frontier.csv", "report.html", "diff.txt", "history.json"} <= found["data"].keys()
    assert found["data"]["plan-hash"] == plan(user)
    assert [owner["uid"] for owner in found["metadata"]["ownerReferences"]] == [user.request("chat")["metadata"]["uid"]]


@pytest.mark.usefixtures("controller")
async def test_a_plan_is_approved_by_its_hash_and_an_edit_needs_a_new_approval(user: User, server: ApiServer) -> None:
    await user.ask("chat", autoApply=False)
    await user.wait_phase("chat", "Ready")
    await say(server, APPROVE, plan(user))
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")
    before = user.graph("chat-dgd")

    await user.ask("chat", autoApply=False, sla={"ttft": 300, "itl": 12})
    await user.wait(lambda: user.condition("chat", "Synced").get("reason") == "ReplanPending", "the plan to wait")

    assert user.graph("chat-dgd") == before
    assert "~ spec.components[worker]" in report(server)["data"]["diff.txt"]


@pytest.mark.usefixtures("controller")
async def test_a_plan_that_is_gone_back_to_is_applied_until_the_user_lets_go(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")
    first, before = plan(user), user.graph("chat-dgd")
    await user.ask("chat", sla={"ttft": 300, "itl": 12})
    await user.wait(lambda: (user.graph("chat-dgd") or {}).get("spec") != (before or {}).get("spec"), "another spec")
    second = plan(user)

    await say(server, ROLLBACK, first)
    await user.wait(lambda: remembered(server) == [first, second], "the way back")
    await user.wait(lambda: (user.graph("chat-dgd") or {}).get("spec") == (before or {}).get("spec"), "the old spec")
    await say(server, ROLLBACK, "")
    await user.wait(lambda: plan(user) == second, "the newest plan again")


@pytest.mark.usefixtures("controller")
async def test_a_plan_nobody_remembers_is_answered_with_those_that_are(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.graph("chat-dgd"), "the graph")

    await say(server, ROLLBACK, "0123456789")
    await user.wait(lambda: user.condition("chat", "Synced").get("reason") == "RollbackUnknown", "the answer")

    assert plan(user) in user.condition("chat", "Synced")["message"]


@pytest.mark.usefixtures("controller")
async def test_a_paused_request_is_left_alone_and_catches_up(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")
    await say(server, PAUSE, "true")
    await user.wait(lambda: user.condition("chat", "Synced").get("reason") == "Paused", "the pause")

    await user.edit_graph("chat-dgd", lambda body: body["spec"]["components"][1].update(replicas=7))
    await say(server, PAUSE, "false")

    await user.wait(lambda: (user.graph("chat-dgd") or {})["spec"]["components"][1]["replicas"] != 7, "the correction")


@pytest.mark.usefixtures("controller")
async def test_a_plan_of_another_engine_takes_over_when_it_serves(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await say(server, review.STRATEGY, "blue-green")
    await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")
    await user.report("chat-dgd", "successful")
    await user.wait_phase("chat", "Deployed")

    await user.ask("chat", backend="sglang")
    await user.wait(lambda: len(graphs(server)) == 2, "both graphs")
    (new,) = set(graphs(server)) - {"chat-dgd"}
    named = user.status("chat")["dgdName"], user.condition("chat", "Synced")["message"]
    await user.report(new, "successful")
    await user.wait(lambda: graphs(server) == [new], "the old one to go")
    await user.wait_phase("chat", "Deployed")

    assert named == (new, f"graph {new} takes over from chat-dgd")


@pytest.mark.usefixtures("controller")
async def test_a_graph_goes_with_its_request_where_the_user_says_so(user: User, server: ApiServer) -> None:
    await user.ask("chat")
    await say(server, review.DELETION, "delete")

    def owners() -> list[str]:
        references = (user.graph("chat-dgd") or {"metadata": {}})["metadata"].get("ownerReferences") or ()
        return [one["uid"] for one in references]

    await user.wait(lambda: owners() == [user.request("chat")["metadata"]["uid"]], "the owner")
    await say(server, review.DELETION, "keep")
    await user.wait(lambda: not owners(), "the graph to stand alone")


@pytest.mark.usefixtures("controller")
async def test_a_history_that_names_another_namespace_is_applied_in_the_requests_own(
    user: User, server: ApiServer
) -> None:
    await user.ask("chat")
    await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")
    forged = json.loads(json.dumps(report(server)))
    (entry,) = json.loads(forged["data"]["history.json"])
    entry["graph"]["metadata"] |= {"namespace": "kube-system"}
    entry["graph"]["spec"]["components"][1]["replicas"] = 3
    forged["data"]["history.json"] = json.dumps([{**entry, "plan": "0123456789"}])
    await server.put(CONFIG_MAPS, forged)

    await say(server, ROLLBACK, "0123456789")
    await user.wait(lambda: (user.graph("chat-dgd") or {})["spec"]["components"][1]["replicas"] == 3, "the forged plan")

    await user.wait(lambda: user.condition("chat", "Synced").get("status") == "True", "rest")
    assert {namespace for namespace, _ in server.store.objects[GRAPHS]} == {NAMESPACE}
