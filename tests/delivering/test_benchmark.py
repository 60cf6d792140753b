"""The Job that measures a plan sends the load that the plan was priced for."""

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.manifest import benchmark, graph
from dgdr_operator.manifest.benchmark import Load
from dgdr_operator.request import ModelCache
from dgdr_operator.settings import Settings
from estimator.estimates import Estimate
from tests.manifests import plans


def _job(estimate: Estimate = plans.AGGREGATED, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- changes of a site
    site = plans.a_site(**changes)
    written = graph.build(estimate, site).objects[-1]
    return benchmark.job(written, estimate, site, benchmark.address(written))


def _flags(job: dict[str, Any]) -> dict[str, str]:
    script = job["spec"]["template"]["spec"]["containers"][0]["args"][0]
    line = next(line for line in script.splitlines() if line.startswith("aiperf profile"))
    return dict(pairwise(shlex.split(line)))


@given(concurrency=st.integers(1, 100_000))
def test_forty_rounds_are_measured_after_every_place_was_filled(concurrency: int) -> None:
    load = Load(concurrency=concurrency, isl=1, osl=1)

    assert load.requests >= 40 * concurrency
    assert load.warm_up >= max(40, concurrency)


def test_lengths_are_exact_and_the_answers_complete() -> None:
    flags = _flags(_job())

    assert (flags["--isl"], flags["--isl-stddev"], flags["--osl"], flags["--osl-stddev"]) == ("4000", "0", "500", "0")
    assert flags["--extra-inputs"] == "ignore_eos:true"
    assert "--streaming" in flags


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_requests_go_to_the_frontends_service(api: str) -> None:
    assert _flags(_job(api=api))["-u"] == "http://qwen32b-dgd-frontend:8000"


def test_the_model_is_asked_for_by_its_served_name_and_tokenised_from_the_claim() -> None:
    cache = ModelCache(claim="model-cache", mount="/opt/models", model_path="qwen")
    job = _job(model_cache=cache)
    pod = job["spec"]["template"]["spec"]

    assert (_flags(job)["-m"], _flags(job)["--tokenizer"]) == (plans.MODEL, "/opt/models/qwen")
    assert {"name": "model-cache", "mountPath": "/opt/models"} in pod["containers"][0]["volumeMounts"]
    assert {"name": "HF_HOME", "value": "/opt/models"} in pod["containers"][0]["env"]


def test_the_job_is_run_once_and_prints_its_summary() -> None:
    job = _job()

    assert (job["apiVersion"], job["kind"], job["spec"]["backoffLimit"]) == ("batch/v1", "Job", 0)
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert benchmark.MARK in job["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert len(job["metadata"]["name"]) <= 63


def test_an_image_of_ones_own_has_aiperf_already() -> None:
    script = _script(_job(settings=Settings(benchmark_image="registry.example.org/aiperf:1")))

    assert "pip install" not in script
    assert "pip install --quiet aiperf" in _script(_job())


def test_the_last_words_are_the_averages_of_what_was_predicted(tmp_path: Path) -> None:
    script = _script(_job()).split("python3 - > /dev/termination-log <<'END'\n")[1].split("END")[0]
    block = {"unit": "ms", "avg": 12.5, "p99": 99.0, "std": 1.0}
    export = {**dict.fromkeys(benchmark.TAGS, block), "input_config": {"a": 1}, "records": {"request_latency": block}}
    folder = tmp_path / "results" / "run"
    folder.mkdir(parents=True)
    (folder / benchmark.EXPORT).write_text(json.dumps(export), encoding="utf-8")

    told = subprocess.run(
        [sys.executable, "-c", script.replace(benchmark.RESULTS, str(tmp_path / "results"))],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(told.stdout) == {key: {"unit": "ms", "avg": 12.5} for key in benchmark.TAGS}
    assert len(told.stdout) < 4096


def test_the_job_knows_what_was_promised() -> None:
    promised = json.loads(_job()["metadata"]["annotations"][benchmark.PREDICTED])

    assert promised == {
        "ttft_ms": 100.0, "itl_ms": 10.0, "request_latency_ms": 1000.0, "request_rate": 1.0, "tokens_per_second": 1.0,
        "targets": {"ttft_ms": 600.0, "itl_ms": 16.67},
    }  # fmt: skip


def _script(job: dict[str, Any]) -> str:
    script: str = job["spec"]["template"]["spec"]["containers"][0]["args"][0]
    return script
