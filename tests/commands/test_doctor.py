"""`dgdr doctor` on files, and live through a kubectl that answers from files."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.examining import deployment as made

Run = Callable[..., Any]

KUBECTL = f"""#!{sys.executable}
import json, os, sys
words, world = sys.argv[1:], json.load(open(os.environ["WORLD"]))
for refused in world["refused"]:
    if refused in words:
        sys.exit(f'Error from server (Forbidden): {{refused}} is forbidden')
if words[0] == "logs":
    print(world["logs"][words[1]])
elif words[1] == "secrets":
    assert "-o" not in words, "Secrets are listed, never fetched"
    print("\\n".join(f"{{name}}   Opaque   1   3d" for name in world["secrets"]))
elif words[1].startswith("dynamographdeployments"):
    if words[2] != world["graph"]["metadata"]["name"]:
        sys.exit(f'Error from server (NotFound): dynamographdeployments "{{words[2]}}" not found')
    print(json.dumps(world["graph"]))
else:
    print(json.dumps({{"kind": "List", "items": world[words[1]]}}))
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A healthy deployment as files, and the flags that name them."""
    seen = made.healthy()
    (tmp_path / "logs").mkdir()
    for name, text in seen.logs.items():
        (tmp_path / "logs" / f"{name}.log").write_text(text)
    flags = []
    for flag, listed in (("pods", seen.pods), ("nodes", seen.nodes), ("claims", seen.claims)):
        (tmp_path / f"{flag}.yaml").write_text(yaml.safe_dump({"kind": "List", "items": list(listed or ())}))
        flags += [f"--{flag}", str(tmp_path / f"{flag}.yaml")]
    (tmp_path / "dgd.yaml").write_text(yaml.safe_dump(seen.graph))
    return [*flags, "--logs", str(tmp_path / "logs"), "--graph", str(tmp_path / "dgd.yaml")]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a kubectl on the path that shows a healthy deployment, with changes."""

    def put(**changes: object) -> None:
        seen = made.healthy()
        world = {
            "pods": list(seen.pods), "nodes": list(seen.nodes or ()), "persistentvolumeclaims": list(seen.claims or ()),
            "graph": seen.graph, "logs": dict(seen.logs), "secrets": sorted(seen.secrets or ()), "refused": [],
        }  # fmt: skip
        (tmp_path / "world.json").write_text(json.dumps({**world, **changes}))
        (tmp_path / "kubectl").write_text(KUBECTL)
        (tmp_path / "kubectl").chmod(0o755)
        monkeypatch.setenv("WORLD", str(tmp_path / "world.json"))
        monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])

    return put


def test_a_healthy_deployment_in_files_ends_with_zero(dgdr: Run, files: list[str]) -> None:
    ended = dgdr("doctor", *files)

    assert (ended.code, ended.err) == (0, "")
    assert "0 fail, 0 warn" in ended.out


def test_a_fault_in_files_ends_with_three_and_what_to_change(dgdr: Run, files: list[str], tmp_path: Path) -> None:
    (tmp_path / "logs" / "qwen32b-dgd-decode-0.log").write_text(f"{made.STARTED}\n{made.SLOW_UCX}\n")

    ended = dgdr("doctor", *files, "--output", "json")
    found = json.loads(ended.out)

    assert (ended.code, found["worst"]) == (3, "fail")
    faults = [one for one in found["findings"] if one["level"] == "fail"]
    assert [(one["subject"], one["where"]) for one in faults] == [("RDMA", "qwen32b-dgd-decode-0")]
    assert "RDMA is not active" in faults[0]["advice"]


def test_a_live_deployment_is_examined_through_kubectl(dgdr: Run, cluster: Callable[..., None]) -> None:
    cluster()

    ended = dgdr("doctor", "--namespace", "inference", "--graph", "qwen32b-dgd")

    assert (ended.code, ended.err) == (0, "")
    assert "hf-token-secret exists" in ended.out
    assert "active: UCX over rc_mlx5" in ended.out


def test_what_may_not_be_read_is_said_and_the_rest_examined(dgdr: Run, cluster: Callable[..., None]) -> None:
    cluster(refused=["nodes", "secrets", "-A"])

    ended = dgdr("doctor", "-n", "inference", "--graph", "qwen32b-dgd")

    assert ended.code == 0
    for what in ("nodes could not be read", "Secrets could not be read", "pods of other namespaces could not be read"):
        assert what in " ".join(ended.out.split())
    assert "active: UCX over rc_mlx5" in ended.out


def test_a_graph_that_is_not_there_is_kubectls_sentence(dgdr: Run, cluster: Callable[..., None]) -> None:
    cluster()

    ended = dgdr("doctor", "--graph", "nobody")

    assert (ended.code, ended.out) == (2, "")
    assert 'dynamographdeployments "nobody" not found' in ended.err


def test_without_kubectl_files_are_asked_for(dgdr: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    ended = dgdr("doctor", "--graph", "qwen32b-dgd")

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "kubectl is not on the path: give files" in ended.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ((), "--graph must name"),
        (("--pods", "pyproject.toml"), "is not YAML"),
        (("--pods", "examples/01-minimal.yaml"), "holds objects that are no Pods"),
        (("--pods", "missing.yaml"), "missing.yaml: No such file"),
    ],
)
def test_a_mistake_is_one_sentence(dgdr: Run, flags: tuple[str, ...], said: str) -> None:
    ended = dgdr("doctor", *flags)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_logs_are_found_by_the_name_of_their_pod(dgdr: Run, files: list[str], tmp_path: Path) -> None:
    for path in list((tmp_path / "logs").iterdir()):
        path.rename(path.with_name(f"{path.stem}-main.txt"))

    assert dgdr("doctor", *files).code == 0


@pytest.mark.parametrize(
    ("names", "seen", "code"),
    [("secret/hf-token-secret\nsecret/other\n", "exists", 0), ("other\n", "does not exist", 0)],
)
def test_secrets_are_known_by_their_names(  # the token is optional in these pods: its absence is a warning
    names: str, seen: str, code: int, dgdr: Run, files: list[str], tmp_path: Path
) -> None:
    (tmp_path / "secrets.txt").write_text(names)

    ended = dgdr("doctor", *files, "--secrets", str(tmp_path / "secrets.txt"))

    assert ended.code == code
    assert f"hf-token-secret {seen}" in " ".join(ended.out.split())


def test_whole_secrets_are_not_looked_through(dgdr: Run, files: list[str], tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("kind: Secret\ndata: {HF_TOKEN: aGY=}\n")

    ended = dgdr("doctor", *files, "--secrets", str(tmp_path / "secrets.yaml"))

    assert (ended.code, ended.out) == (2, "")
    assert "holds more than names" in ended.err
    assert "aGY=" not in ended.err
