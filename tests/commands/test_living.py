"""`kubectl dgdr`: a request in a cluster looked at and decided about, through a kubectl that answers from a file."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.cli import completion
from tests.commands.conftest import Run

KUBECTL = """\
#!/usr/bin/env python3
import json, os, sys

words = sys.argv[1:]
world = json.load(open(os.environ["WORLD"]))
open(os.environ["WORLD"] + ".log", "a").write(json.dumps(words) + "\\n")
if world.get("says"):
    sys.exit(world["says"])
if words[0] == "diff":
    sys.stdin.read()
    print(world["diff"], end="")
    sys.exit(1 if world["diff"] else 0)
if words[0] == "annotate":
    print("annotated")
    sys.exit(0)
kind, *rest = words[1:]
held = world.get(kind, {})
named = [word for word in rest[:1] if not word.startswith("-")]
if "--no-headers" in words:
    print("\\n".join(held))
elif not named:
    print(json.dumps({"items": list(held.values())}))
elif named[0] in held:
    print(json.dumps(held[named[0]]))
else:
    sys.exit(f'Error from server (NotFound): {kind} "{named[0]}" not found')
"""
KIND = "dynamographdeploymentrequests.nvidia.com"
SUMMARY = "vllm 0.12.0 agg tp2 x4 on 8 x h200_sxm"


def request(phase: str = "Deployed", synced: str = "Applied", plan: str = "aaaa111111") -> dict[str, Any]:
    """A request as the cluster holds it."""
    conditions = [
        {"type": "Succeeded", "status": "True", "reason": phase, "message": "graph chat-dgd is successful and serves"},
        {"type": "Synced", "status": "False", "reason": synced, "message": "another plan would be made now"},
    ]
    graph = {"metadata": {"name": "chat-dgd", "annotations": {"dgdr-operator.io/plan": plan}}}
    return {
        "metadata": {"name": "chat", "namespace": "team"},
        "spec": {"model": "a/model", "env": [{"name": "HF_TOKEN", "value": "hf_secret"}]},
        "status": {
            "phase": phase,
            "dgdName": "chat-dgd",
            "conditions": conditions,
            "deploymentInfo": {"replicas": 4, "availableReplicas": 4},
            "profilingResults": {"selectedConfig": graph},
        },
    }


def report(**more: str) -> dict[str, Any]:
    """Its report."""
    entries = [
        {"plan": name, "at": "2026-01-01T00:00:00Z", "summary": SUMMARY} for name in ("aaaa111111", "bbbb222222")
    ]
    files = {"history.json": json.dumps(entries), "plan.yaml": "kind: X\n", "report.txt": "why, and why not\n"}
    return {"data": {**files, "diff.txt": "~ as it was\n", **more}}


Cluster = Callable[..., None]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Puts a kubectl on the path that shows this world."""

    def put(found: dict[str, Any] | None = None, held: dict[str, Any] | None = None, **world: object) -> None:
        requests = {"chat": found or request()}
        maps = {"dgdr-report-chat": held or report()}
        content = {KIND: requests, "configmaps": maps, "diff": "", "says": "", **world}
        (tmp_path / "world").write_text(json.dumps(content))
        (tmp_path / "kubectl").write_text(KUBECTL)
        (tmp_path / "kubectl").chmod(0o755)

    monkeypatch.setenv("WORLD", str(tmp_path / "world"))
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    return put


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[], list[list[str]]]:
    """What kubectl was asked to change."""

    def read() -> list[list[str]]:
        calls = [json.loads(line) for line in (tmp_path / "world.log").read_text().splitlines()]
        return [call for call in calls if call[0] == "annotate"]

    return read


def test_status_says_how_a_request_stands(dgdr: Run, cluster: Cluster) -> None:
    cluster()

    ended = dgdr("status", "chat", "-n", "team")

    assert (ended.code, ended.err) == (0, "")
    for what in ("team/chat: Deployed", "aaaa111111", "chat-dgd", "4 of 4 available", "Applied: another plan"):
        assert what in ended.out


def test_status_without_a_name_lists_all_requests(dgdr: Run, cluster: Cluster) -> None:
    cluster(request(synced="ReplanPending"))

    ended = dgdr("status")

    assert ended.code == 0
    assert " ".join(ended.out.splitlines()[-1].split()) == "team chat Deployed aaaa111111 chat-dgd for approval"


def test_status_of_a_failed_request_ends_with_three(dgdr: Run, cluster: Cluster) -> None:
    cluster(request(phase="Failed"))

    assert dgdr("status", "chat").code == 3
    assert json.loads(dgdr("status", "chat", "-o", "json").out)["status"]["phase"] == "Failed"


def test_explain_prints_the_search_behind_the_plan(dgdr: Run, cluster: Cluster) -> None:
    cluster()

    assert dgdr("explain", "chat").out == "why, and why not\n"


def test_diff_is_what_the_cluster_says_now(dgdr: Run, cluster: Cluster) -> None:
    cluster(diff="-replicas: 2\n+replicas: 4\n")

    ended = dgdr("diff", "chat")

    assert (ended.code, ended.out) == (0, "-replicas: 2\n+replicas: 4\n")


def test_history_marks_the_current_plan(dgdr: Run, cluster: Cluster) -> None:
    cluster()

    said = dgdr("history", "chat").out

    assert "* aaaa111111  since 2026-01-01T00:00:00Z\n    vllm 0.12.0 agg" in said
    assert "\n  bbbb222222  since" in said


@pytest.mark.parametrize(
    ("words", "annotation"),
    [
        (["pause", "chat"], "dgdr-operator.io/pause=true"),
        (["resume", "chat"], "dgdr-operator.io/pause-"),
        (["approve", "chat"], "dgdr-operator.io/approve=cccc333333"),
        (["approve", "chat", "--plan", "aaaa111111"], "dgdr-operator.io/approve=aaaa111111"),
        (["rollback", "chat", "--to", "bbbb222222"], "dgdr-operator.io/rollback=bbbb222222"),
        (["rollback", "chat", "--end"], "dgdr-operator.io/rollback-"),
    ],
)
def test_a_word_on_a_plan_is_an_annotation_of_the_request(
    words: list[str], annotation: str, dgdr: Run, cluster: Cluster, asked: Callable[[], list[list[str]]]
) -> None:
    cluster(request(synced="ReplanPending"), report(**{"pending-hash": "cccc333333"}))

    ended = dgdr(*words, "--context", "prod", "-n", "team")

    assert (ended.code, ended.err) == (0, "")
    place = ["--overwrite", "--context", "prod", "-n", "team"]
    assert asked() == [["annotate", KIND, "chat", annotation, *place]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["approve", "chat", "--plan", "ffff"], "the plan that waits is aaaa111111, not ffff"),
        (["rollback", "chat", "--to", "bbbb222223"], "did you mean bbbb222222?"),
        (["rollback", "chat"], "--to --end is required"),
        (["status", "chta"], "there is no request chta; did you mean chat?"),
    ],
)
def test_a_slip_is_answered_with_what_there_is(words: list[str], said: str, dgdr: Run, cluster: Cluster) -> None:
    cluster()

    ended = dgdr(*words)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


@pytest.mark.parametrize(
    ("says", "code"),
    [("The connection to the server localhost:8080 was refused", 4), ("Error: requests is forbidden", 3)],
)
def test_a_cluster_that_is_silent_and_one_that_says_no_are_told_apart(
    says: str, code: int, dgdr: Run, cluster: Cluster
) -> None:
    cluster(says=says)

    ended = dgdr("status", "chat")

    assert (ended.code, ended.err) == (code, f"dgdr: {says}\n")


def test_a_report_has_everything_but_secrets(dgdr: Run, cluster: Cluster, tmp_path: Path) -> None:
    cluster()

    ended = dgdr("report", "chat", "--output", str(tmp_path / "out.zip"))

    assert ended.code == 0
    with zipfile.ZipFile(io.BytesIO((tmp_path / "out.zip").read_bytes())) as archive:
        held = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {"request.yaml", "graph.yaml", "events.yaml", "nodes.yaml", "report/history.json"} <= held.keys()
    assert "HF_TOKEN" in held["request.yaml"]
    assert "hf_secret" not in "".join(held.values())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["stat"], ["status"]),
        (["approve", ""], ["chat"]),
        (["approve", "-n", "team", "ch"], ["chat"]),
        (["approve", "x"], []),
        (["approve", "chat", ""], []),
        (["optimize", ""], []),
    ],
)
def test_a_tab_offers_verbs_and_requests(
    words: list[str], offered: list[str], cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster()

    completion.main(words)

    assert capsys.readouterr().out.splitlines() == [*offered, ":4"]


def test_a_tab_without_a_cluster_offers_nothing(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster(says="The connection to the server was refused")

    completion.main(["status", ""])

    assert capsys.readouterr().out == ":4\n"
