"""`dgdr generate`: what fits, without a search and without a prediction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.manifest import views

Run = Callable[..., Any]
MODEL = ("generate", "--model", "Qwen/Qwen3-32B-FP8")
ON_H200 = (*MODEL, "--system", "h200_sxm", "--total-gpus", "8")


def _graph(ended: Any) -> dict[str, Any]:  # noqa: ANN401 -- what the fixture returns
    assert ended.code == 0, ended.err
    found: dict[str, Any] = list(yaml.safe_load_all(ended.out))[-1]
    return found


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
def test_the_smallest_worker_fills_the_budget(dgdr: Run, backend: str) -> None:
    graph = _graph(dgdr(*ON_H200, "--backend", backend))
    (worker,) = (part for part in views.of(graph) if part.is_worker)

    assert (worker.pod_gpus, worker.replicas, worker.gpus) == (1, 8, 8)


def test_a_smaller_gpu_needs_a_wider_worker(dgdr: Run) -> None:
    def width(system: str) -> int:
        model = ("generate", "--model", "meta-llama/Llama-3.1-70B", "--system", system, "--total-gpus", "8")
        graph = _graph(dgdr(*model, "--backend", "vllm"))
        return next(part.pod_gpus for part in views.of(graph) if part.is_worker)

    assert width("h200_sxm") < width("l40s")


def test_the_manifest_says_that_nothing_was_estimated(dgdr: Run) -> None:
    ended = dgdr(*ON_H200, "--backend", "vllm")

    assert _graph(ended)["metadata"]["annotations"] == {"dgdr-operator.io/estimate": "none: memory fit only"}
    assert "not estimated" in ended.err
    assert "nan" not in ended.out + ended.err


def test_no_measurement_is_needed(dgdr: Run) -> None:
    ended = dgdr(*MODEL, "--system", "l40s", "--total-gpus", "2", "--backend", "trtllm")

    assert ended.code == 0


def test_what_does_not_fit_says_what_would(dgdr: Run) -> None:
    model = ("generate", "--model", "deepseek-ai/DeepSeek-R1", "--system", "h200_sxm", "--total-gpus", "4")

    ended = dgdr(*model, "--backend", "sglang")

    assert (ended.code, ended.out) == (3, "")
    assert "GiB of GPU memory: at least" in ended.err


def test_our_spelling_and_the_peers_mean_the_same(dgdr: Run) -> None:
    ours = dgdr(*ON_H200, "--backend", "vllm", "--set", "workers.aggregated.max-num-seqs=2048")
    theirs = dgdr(*ON_H200, "--backend", "vllm", "--generator-set", "Workers.agg.max_num_seqs=2048")

    assert ours.out == theirs.out
    assert "'2048'" in ours.out


def test_the_list_of_arguments_needs_no_question(dgdr: Run) -> None:
    ended = dgdr("generate", "--set-help")

    assert ended.code == 0
    for name in ("max-num-seqs", "mem-fraction-static", "kv_cache_config.free_gpu_memory_fraction", "unless set"):
        assert name in ended.out


def test_a_role_based_group_can_be_written_instead(dgdr: Run) -> None:
    graph = _graph(dgdr(*ON_H200, "--backend", "sglang", "--target", "rbg"))

    assert (graph["apiVersion"], graph["kind"]) == ("workloads.x-k8s.io/v1alpha2", "RoleBasedGroup")
    assert [role["name"] for role in graph["spec"]["roles"]] == ["router", "worker"]


def test_a_file_is_written_whole(dgdr: Run, tmp_path: Path) -> None:
    ended = dgdr(*ON_H200, "--backend", "vllm", "--save-to", str(tmp_path / "dgd.yaml"))

    assert (ended.code, ended.out) == (0, "")
    assert yaml.safe_load((tmp_path / "dgd.yaml").read_text())["kind"] == "DynamoGraphDeployment"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--backend", "auto"), "must be one of vllm, sglang, trtllm"),
        (("--backend", "vllm", "--target", "rbg"), "choose --backend sglang"),
        (("--backend", "vllm", "--set", "max_num_seq=1"), "did you mean max-num-seqs"),
        (("--backend", "vllm", "--set", "max_num_seqs"), "must read path=value"),
        (("--backend", "vllm", "--isl", "40000", "--osl", "40000"), "at most the model's context"),
        (("--backend", "vllm", "--target", "helm"), "must be one of dynamo, rbg"),
    ],
)
def test_a_mistake_is_one_sentence(dgdr: Run, flags: tuple[str, ...], said: str) -> None:
    ended = dgdr(*ON_H200, *flags)

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


@pytest.mark.parametrize("backend", ["vllm", "sglang", "trtllm"])
@pytest.mark.parametrize(
    ("pin", "shape"),
    [
        ("mode=disagg", {"prefill": (4, 1), "decode": (4, 1)}),
        ("prefill.tp=2,prefill.workers=1,decode.tp=2", {"prefill": (1, 2), "decode": (3, 2)}),
        ("decode.workers=1", {"prefill": (4, 1), "decode": (1, 1)}),
    ],
)
def test_workers_run_apart_where_they_are_pinned_so(
    backend: str, pin: str, shape: dict[str, tuple[int, int]], dgdr: Run
) -> None:
    ended = dgdr(*ON_H200, "--backend", backend, "--pin", pin)

    workers = [view for view in views.of(_graph(ended)) if view.is_worker]
    assert {view.kind: (view.replicas, view.pod_gpus) for view in workers} == shape
    assert "not estimated" in ended.err


@pytest.mark.parametrize(
    ("pin", "problem"),
    [("tp=3", "workers: tp1pp1, tp2pp1"), ("workers=9", "8 GPUs at most"), ("batch=99999", "batches of at most")],
)
def test_pins_that_nothing_can_follow_are_refused(pin: str, problem: str, dgdr: Run) -> None:
    ended = dgdr(*ON_H200, "--backend", "vllm", "--pin", pin)

    assert (ended.code, ended.out) == (2, "")
    assert problem in ended.err
