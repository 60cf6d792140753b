"""`dgdr plan` prints what the controller would create, and nothing else on standard output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator import inventory, journey, settings, spec
from perf_db.catalog import Catalog

Run = Callable[..., Any]


def _first(root: Path) -> Path:
    return next(iter(sorted((root / "examples").glob("01-*.yaml"))))


def test_the_command_line_predicts_the_controller(dgdr: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DGDR_DYNAMO_VERSION", raising=False)
    nodes = root / "examples" / "nodes.yaml"
    request = spec.read(yaml.safe_load(_first(root).read_text()))
    found = inventory.read(yaml.safe_load(nodes.read_text()))
    plan = journey.plan(request, found, Catalog(), settings.Settings())

    ended = dgdr("plan", "-f", str(_first(root)), "--nodes", str(nodes))

    assert ended.code == 0
    assert list(yaml.safe_load_all(ended.out)) == list(plan.objects)


def test_notes_are_comments_on_standard_error(dgdr: Run, root: Path) -> None:
    ended = dgdr("plan", "-f", str(_first(root)))

    assert ended.code == 0
    assert ended.err
    assert all(line.startswith("# ") for line in ended.err.splitlines())


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_the_version_of_the_graph_can_be_asked_for(dgdr: Run, root: Path, version: str) -> None:
    ended = dgdr("plan", "-f", str(_first(root)), "--dgd-version", version)

    assert ended.code == 0
    assert yaml.safe_load(ended.out)["apiVersion"] == f"nvidia.com/{version}"


def test_the_same_request_gives_the_same_bytes(dgdr: Run, root: Path) -> None:
    assert dgdr("plan", "-f", str(_first(root))).out == dgdr("plan", "-f", str(_first(root))).out


def test_a_request_is_read_from_standard_input(spawn: Run, root: Path) -> None:
    ended = spawn("plan", "-f", "-", stdin=_first(root).read_text())

    assert ended.code == 0
    assert ended.out.startswith("apiVersion: nvidia.com/")


def test_an_infeasible_request_ends_with_three_and_numbers(spawn: Run, root: Path) -> None:
    (path,) = (root / "examples").glob("*-infeasible.yaml")

    ended = spawn("plan", "-f", str(path))

    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("infeasible: ")
    assert "best ttft=" in ended.err
    assert "binding=" in ended.err


def _request(**changes: object) -> str:
    fields = {"model": "Qwen/Qwen3-32B-FP8", "backend": "vllm", "hardware": {"gpuSku": "h200_sxm", "totalGpus": 8}}
    body = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "x"},
        "spec": {**fields, **changes},
    }
    return yaml.safe_dump(body)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_request(workload={"isl": -3}), "spec.workload.isl"),
        (_request(workload={"isl": "many"}), "spec.workload.isl"),
        (_request(model="no/such-model"), "no/such-model"),
        (_request(model=7), "spec.model"),
        (_request(sla={"ttft": 100, "e2eLatency": 900}), "spec.sla"),
        (_request(hardware={"gpuSku": "h200_sxm", "totalGpus": 0}), "spec.hardware.totalGpus"),
        (_request(hardware={"gpuSku": "h20_sxm", "totalGpus": 8}), "h200_sxm"),
        (_request(hardware={}), "spec.hardware"),
        (_request(backend="vlm"), "vllm"),
        (_request(surplus=1), "surplus"),
        ("[1, 2", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("", "holds no DynamoGraphDeploymentRequest"),
        ("7", "dgdr: "),
        (f"{_request()}---\n{_request()}", "holds 2 requests"),
        ("\x00", "is not YAML"),
        ("[" * 100_000, "nested more than 100 levels deep"),
    ],
)
def test_a_malformed_request_is_one_sentence_about_its_field(dgdr: Run, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "request.yaml"
    path.write_text(text)

    ended = dgdr("plan", "-f", str(path))

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("dgdr: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("text", ["7", "kind: Pod", "items: [7]"])
def test_a_file_without_nodes_is_refused(dgdr: Run, root: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)

    ended = dgdr("plan", "-f", str(_first(root)), "--nodes", str(path))

    assert ended.code == 2
    assert "Node" in ended.err


def test_pods_leave_free_what_they_do_not_hold(dgdr: Run, root: Path, tmp_path: Path) -> None:
    examples = root / "examples"
    request = yaml.safe_load(_first(root).read_text())
    request["spec"].pop("hardware", None)
    asked = tmp_path / "request.yaml"
    asked.write_text(yaml.safe_dump(request))

    alone = dgdr("plan", "-f", str(asked), "--nodes", str(examples / "nodes.yaml"))
    beside = dgdr(
        "plan", "-f", str(asked), "--nodes", str(examples / "nodes.yaml"), "--pods", str(examples / "pods.yaml")
    )

    assert "the ready nodes have 16" in alone.err
    assert "12 of the 16 GPUs of the ready nodes are free" in beside.err


def test_pods_without_nodes_are_a_usage_error(spawn: Run, root: Path) -> None:
    ended = spawn("plan", "-f", str(_first(root)), "--pods", str(root / "examples" / "pods.yaml"))

    assert ended.code == 2
    assert "--pods needs --nodes" in ended.err
