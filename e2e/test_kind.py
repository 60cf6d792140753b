"""The way to kind, walked with stand-ins for `docker` and `kind` that hand out the cluster of these tests.

What kind itself does is kind's: what is tested is that it is asked as its documentation says, in order, to the end.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from e2e import backends
from e2e.cluster import Cluster
from e2e.controlplane.build import BuildError
from e2e.node import tools
from e2e.node.image import OURS
from e2e.node.on_kind import on_kind

KIND = """#!/bin/sh
echo "kind $*" >>"$STAND_IN_LOG"
[ "$1" = create ] && cp "$STAND_IN_KUBECONFIG" "$6"
exit ${STAND_IN_KIND_CODE:-0}
"""
DOCKER = """#!/bin/sh
echo "docker $*" >>"$STAND_IN_LOG"
[ "$1" = image ] && echo 379000000
exit ${STAND_IN_DOCKER_CODE:-0}
"""


@pytest.fixture
def asked(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-ins were asked, a line each."""
    for name, text in (("kind", KIND), ("docker", DOCKER)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    log = tmp_path / "asked"
    log.touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    monkeypatch.setenv("STAND_IN_KUBECONFIG", str(cluster.kubeconfig))
    return log


def test_kind_is_taken_where_docker_answers_and_nothing_of_our_own_is_needed_then(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backends.has_kind()
    assert tools.missing() is None

    monkeypatch.setenv("STAND_IN_DOCKER_CODE", "1")

    assert not backends.has_kind()
    assert set(asked.read_text().splitlines()) == {"docker info"}


def broken(folder: Path, used: list[Cluster]) -> None:
    """A run that fails on a cluster that answers."""
    with backends.kind(folder) as found:
        assert found.kubectl("get", "--raw", "/readyz") == "ok"
        used.append(found)
        raise ZeroDivisionError


def test_a_kind_cluster_is_made_with_an_audit_log_and_deleted_even_after_a_failure(asked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    used: list[Cluster] = []
    with pytest.raises(ZeroDivisionError):
        broken(folder, used)
    (found,) = used

    config = json.loads((folder / "kind.json").read_text())
    mounted = {mount["containerPath"] for mount in config["nodes"][0]["extraMounts"]}
    common = f"--name {backends.KIND_NAME} --kubeconfig {folder / 'admin.kubeconfig'}"
    assert mounted == {"/etc/dgdr-e2e/audit-policy.yaml", "/etc/dgdr-e2e/logs"}
    assert found.audit_log == folder / "audit" / "audit.log"
    assert asked.read_text().splitlines() == [
        f"kind create cluster {common} --config {folder / 'kind.json'} --wait {backends.KIND_LIMIT}",
        f"kind delete cluster {common}",
    ]


def test_a_kind_that_makes_no_cluster_is_a_message(
    asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_KIND_CODE", "1")

    with pytest.raises(BuildError, match="kind create cluster"), backends.kind(tmp_path):
        pass

    assert asked.read_text().splitlines()[-1].startswith("kind delete cluster")


def test_its_node_has_the_image_that_docker_built_and_helm_reaches_it(asked: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with on_kind(folder) as machine:
        assert machine.image_size == "379 MB"
        assert machine.helm("list", "--all-namespaces", "--output", "json").strip() == "[]"
        assert machine.words("default") == ""

    said = [line for line in asked.read_text().splitlines() if " cluster " not in line]
    assert said == [
        f"docker build --tag {OURS} {Path(backends.__file__).parents[1]}",
        f"docker image inspect --format {{{{.Size}}}} {OURS}",
        f"kind load docker-image {OURS} --name {backends.KIND_NAME}",
    ]
