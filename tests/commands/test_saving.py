"""The folder that `dgdr optimize --save-dir` leaves: complete for every engine, and consistent in itself."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from dgdr_operator.manifest import views

Run = Callable[..., Any]
BASH = which("bash") or "/bin/bash"
QUESTION = (
    *("optimize", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--total-gpus", "8", "--top", "1"),
    *("--isl", "4000", "--osl", "500", "--ttft", "600", "--itl", "16.67"),
)


@pytest.fixture
def save(dgdr: Run, tmp_path: Path) -> Callable[..., Path]:
    """Saves the answer of an engine; the folder."""

    def run(backend: str, *flags: str) -> Path:
        ended = dgdr(*QUESTION, "--backend", backend, *flags, "--save-dir", str(tmp_path))
        assert (ended.code, ended.err) == (0, "")
        return tmp_path

    return run


def _documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def test_trtllm_plans_come_with_their_engine_files(save: Callable[..., Path]) -> None:
    folder = save("trtllm")

    for mode, roles in (("aggregated", ["agg"]), ("disaggregated", ["prefill", "decode"])):
        rank = folder / mode / "top1"
        held = next(one for one in _documents(rank / "k8s_deploy.yaml") if one["kind"] == "ConfigMap")["data"]
        assert sorted(held.values()) == sorted((rank / f"{role}_config.yaml").read_text() for role in roles)
        for role in roles:
            assert f'"$here/{role}_config.yaml"' in (rank / "run_0.sh").read_text()


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
def test_every_script_is_a_script(save: Callable[..., Path], backend: str) -> None:
    scripts = sorted(save(backend).rglob("run_*.sh"))

    assert scripts
    for path in scripts:
        checked = subprocess.run([BASH, "-n", str(path)], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_the_benchmark_measures_the_graph_beside_it(save: Callable[..., Path]) -> None:
    for path in save("vllm").rglob("aiperf-job.yaml"):
        (job,) = _documents(path)
        graph = _documents(path.with_name("k8s_deploy.yaml"))[-1]
        choice = yaml.safe_load(_documents(path.with_name("plan.yaml"))[1]["data"]["choice.yaml"])
        script = job["spec"]["template"]["spec"]["containers"][0]["args"][0]

        assert f"http://{graph['metadata']['name']}-frontend:8000" in script
        assert f"--concurrency {choice['concurrency']} --num-requests {40 * choice['concurrency']} " in script


def test_the_saved_choice_is_the_plan_of_its_graph(save: Callable[..., Path]) -> None:
    for path in save("vllm").glob("*/top*/plan.yaml"):
        request, record = _documents(path)
        choice = yaml.safe_load(record["data"]["choice.yaml"])
        graph = _documents(path.with_name("k8s_deploy.yaml"))[-1]

        assert choice["gpus"] == sum(part.gpus for part in views.of(graph) if part.is_worker)
        assert (choice["mode"], choice["backend"]) == (path.parts[-3], request["spec"]["backend"])


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
def test_every_saved_plan_is_reproduced_from_its_request(backend: str, dgdr: Run, tmp_path: Path) -> None:
    asked = [word if word != "1" else "3" for word in QUESTION]
    dgdr(*asked, "--backend", backend, "--save-dir", str(tmp_path))
    saved = sorted(tmp_path.glob("*/top*"))

    planned = [dgdr("plan", "-f", str(folder / "plan.yaml")).out for folder in saved]

    assert len(saved) > 3
    assert planned == [(folder / "k8s_deploy.yaml").read_text(encoding="utf-8") for folder in saved]


def test_a_changed_argument_is_in_every_file_and_said(save: Callable[..., Path]) -> None:
    folder = save("vllm", "--set", "workers.decode.max_num_seqs=2048")

    rank = folder / "disaggregated" / "top1"
    assert (rank / "k8s_deploy.yaml").read_text().startswith("# decode: max_num_seqs is 2048 instead of 1024")
    assert "--max-num-seqs 2048" in (rank / "run_0.sh").read_text()
    assert "2048" not in (folder / "aggregated" / "top1" / "k8s_deploy.yaml").read_text()


def test_role_based_groups_are_saved_with_their_own_address(save: Callable[..., Path]) -> None:
    rank = save("sglang", "--target", "rbg") / "disaggregated" / "top1"
    (group,) = _documents(rank / "k8s_deploy.yaml")

    assert group["kind"] == "RoleBasedGroup"
    assert f"-u http://s-{group['metadata']['name']}-router:8000 " in (rank / "aiperf-job.yaml").read_text()


def test_wishes_without_a_folder_have_nowhere_to_go(dgdr: Run) -> None:
    ended = dgdr(*QUESTION, "--target", "rbg")

    assert (ended.code, ended.out) == (2, "")
    assert "--target changes the saved manifests: give --save-dir too" in ended.err


def test_a_wish_for_an_argument_that_is_none_leaves_no_folder(dgdr: Run, tmp_path: Path) -> None:
    ended = dgdr(*QUESTION, "--backend", "vllm", "--set", "nonsense=1", "--save-dir", str(tmp_path / "results"))

    assert ended.code == 2
    assert "is no argument of vllm" in ended.err
    assert not (tmp_path / "results").exists()
