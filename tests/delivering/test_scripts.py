"""Scripts that start a plan without Kubernetes, run with a stand-in for Python that writes down what it is told."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.manifest import graph, views
from dgdr_operator.report import scripts
from estimator.estimates import Estimate
from tests.manifests import plans

# It leaves when all have come, as the script ends with the first that leaves.
STAND_IN = f"""#!{sys.executable} -S
import json, os, sys, time
names = "CUDA_VISIBLE_DEVICES", "DYN_SYSTEM_PORT", "VLLM_NIXL_SIDE_CHANNEL_PORT", "HF_HOME", "UCX_TLS", "ETCD_ENDPOINTS"
told = json.dumps({{"args": sys.argv[1:], "env": {{name: os.environ.get(name) for name in names}}}})
with open(os.path.join(os.environ["SEEN"], str(os.getpid())), "w") as file:
    file.write(told)
for _ in range(3000):
    if len(os.listdir(os.environ["SEEN"])) == int(os.environ["EXPECTED"]):
        break
    time.sleep(0.01)
"""
BASH = shutil.which("bash") or "/bin/bash"
Ran = list[dict[str, Any]]


@pytest.fixture
def started(tmp_path: Path) -> Callable[..., Ran]:
    """Runs a script; what it started, each with its arguments and variables."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(STAND_IN)
    (tmp_path / "bin" / "python3").chmod(0o755)

    def run(text: str, **variables: str) -> Ran:
        seen = tmp_path / f"seen-{len(list(tmp_path.iterdir()))}"
        seen.mkdir()
        script = tmp_path / "run.sh"
        script.write_text(text)
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "SEEN": str(seen), "EXPECTED": str(text.count(" &\n")), **variables}
        done = subprocess.run([BASH, str(script)], env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return [json.loads(file.read_text()) for file in sorted(seen.iterdir())]

    return run


def _graph(estimate: Estimate, **changes: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- changes of a site
    return graph.build(estimate, plans.a_site(**changes)).objects[-1]


def _gpus(ran: Ran) -> list[str]:
    return [
        gpu
        for one in ran
        if one["env"]["CUDA_VISIBLE_DEVICES"]
        for gpu in one["env"]["CUDA_VISIBLE_DEVICES"].split(",")
    ]


@pytest.mark.parametrize("estimate", [plans.AGGREGATED, plans.DISAGGREGATED], ids=["aggregated", "disaggregated"])
@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_a_script_starts_exactly_what_the_manifest_starts(
    started: Callable[..., Ran], estimate: Estimate, api: str
) -> None:
    written = _graph(estimate, api=api)

    (text,) = scripts.scripts(written, 8, {})
    ran = started(text)

    workers = [part for part in views.of(written) if part.is_worker]
    expected = sorted([*part.main["command"][1:], *part.args] for part in workers for _ in range(part.replicas))
    assert sorted(one["args"] for one in ran if "dynamo.frontend" not in one["args"]) == expected
    assert sum("dynamo.frontend" in one["args"] for one in ran) == 1


def test_no_gpu_and_no_port_is_given_twice(started: Callable[..., Ran]) -> None:
    (text,) = scripts.scripts(_graph(plans.DISAGGREGATED), 8, {})

    ran = started(text)

    workers = [one for one in ran if one["env"]["CUDA_VISIBLE_DEVICES"]]
    assert sorted(_gpus(ran)) == [str(gpu) for gpu in range(8)]
    assert len({one["env"]["DYN_SYSTEM_PORT"] for one in workers}) == len(workers)
    assert len({one["env"]["VLLM_NIXL_SIDE_CHANNEL_PORT"] for one in workers}) == len(workers)


def test_paths_of_pods_are_not_forced_on_a_machine(started: Callable[..., Ran]) -> None:
    (text,) = scripts.scripts(_graph(plans.DISAGGREGATED), 8, {})

    ran = started(text)

    assert {one["env"]["HF_HOME"] for one in ran} == {None}
    assert any(one["env"]["UCX_TLS"] for one in ran)


def test_workers_beyond_one_machine_get_scripts_of_their_own(started: Callable[..., Ran]) -> None:
    sixteen = plans.an_estimate(plans.a_worker("aggregated", tp=4, batch=8), replicas=4)

    first, second = scripts.scripts(_graph(sixteen), 8, {})

    assert sum("dynamo.vllm" in one["args"] for one in started(first)) == 2
    ran = started(second, NODE_0_IP="10.0.0.7")
    assert [one["args"][1] for one in ran] == ["dynamo.vllm", "dynamo.vllm"]
    assert {one["env"]["ETCD_ENDPOINTS"] for one in ran} == {"http://10.0.0.7:2379"}


@pytest.mark.parametrize(("backend", "joins"), [("sglang", "--dist-init-addr"), ("vllm", "--master-addr")])
def test_a_worker_of_two_machines_joins_its_leader(started: Callable[..., Ran], backend: str, joins: str) -> None:
    wide = plans.an_estimate(plans.a_worker("aggregated", tp=8, pp=2, batch=8), backend=backend)

    first, second = scripts.scripts(_graph(wide), 8, {})

    leader = [one for one in started(first) if f"dynamo.{backend}" in one["args"]]
    follower = started(second, NODE_0_IP="10.0.0.7")
    assert [one["args"][one["args"].index("--node-rank") + 1] for one in leader + follower] == ["0", "1"]
    assert follower[0]["args"][follower[0]["args"].index(joins) + 1].startswith("10.0.0.7")


def test_workers_of_several_machines_without_mpi_are_refused_in_words(tmp_path: Path) -> None:
    wide = plans.an_estimate(plans.a_worker("aggregated", tp=8, pp=2, batch=8), backend="trtllm")
    text = scripts.scripts(_graph(wide), 8, {})[0].replace("python3 -m dynamo.frontend", "true")
    (tmp_path / "run.sh").write_text(text)

    done = subprocess.run([BASH, str(tmp_path / "run.sh")], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "use k8s_deploy.yaml" in done.stderr


def test_engine_files_are_those_beside_the_script(started: Callable[..., Ran], tmp_path: Path) -> None:
    one = plans.an_estimate(plans.a_worker("aggregated", tp=2, batch=8), backend="trtllm")

    (text,) = scripts.scripts(_graph(one), 8, {"/opt/dynamo/engine/aggregated.yaml": "agg_config.yaml"})
    ran = started(text)

    args = next(entry["args"] for entry in ran if "dynamo.trtllm" in entry["args"])
    assert args[args.index("--extra-engine-args") + 1] == str(tmp_path / "agg_config.yaml")
