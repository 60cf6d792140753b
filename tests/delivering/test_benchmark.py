"""The Job that measures a plan sends the load that the plan was priced for."""

import shlex
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.manifest import benchmark, graph
from dgdr_operator.manifest.benchmark import Load
from dgdr_operator.request import ModelCache
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
