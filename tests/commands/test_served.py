"""How published runs were served: the settings of their launch scripts, and what a client of them sees."""

import pytest

from dgdr_operator.cli import forecast, measurements, served
from dgdr_operator.cli.measurements import Run
from dgdr_operator.cli.served import Checkpoint
from perf_db.catalog import Catalog

HOPPER, BLACKWELL = 90, 100
SCRIPTED = {"isl": "1024", "osl": "1024", "precision": "fp8", "concurrency": "8"}


def run(**fields: str) -> Run:
    """A row of the file with these fields; the others are 1."""
    return measurements.run({**dict.fromkeys(measurements.NEEDED, "1"), **fields})


@pytest.mark.parametrize(
    ("backend", "weights", "sm", "cache"),
    [
        ("vllm", "fp8_static", HOPPER, "fp8"),
        ("vllm", "fp8_block", HOPPER, "bf16"),
        ("vllm", "fp8_block", BLACKWELL, "fp8"),
        ("vllm", "w4a16_mxfp4", HOPPER, "bf16"),
        ("vllm", "w4a16_mxfp4", BLACKWELL, "fp8"),
        ("vllm", "int4_wo", BLACKWELL, "bf16"),
        ("sglang", "fp8_block", HOPPER, "bf16"),
        ("sglang", "nvfp4", BLACKWELL, "fp8"),
        ("sglang", "bf16", BLACKWELL, "bf16"),
        ("trtllm", "fp8_block", HOPPER, "fp8"),
        ("trtllm", "w4a16_mxfp4", HOPPER, "bf16"),
    ],
)
def test_the_cache_is_that_of_the_launch_scripts(backend: str, weights: str, sm: int, cache: str) -> None:
    assert served.settings(run(backend=backend), Checkpoint(weights=weights, dense=True), sm).kv_cache == cache


def test_lengths_vary_in_the_campaign_that_keeps_scripts_and_are_equal_in_the_other() -> None:
    scripted = served.settings(run(backend="vllm", **SCRIPTED), Checkpoint(weights="fp8_static", dense=True), HOPPER)
    other = served.settings(
        run(backend="vllm", **{**SCRIPTED, "isl": "2048"}), Checkpoint(weights="fp8_static", dense=True), HOPPER
    )

    assert (scripted.length, scripted.alike) == (0.9, False)
    assert (other.length, other.alike) == (1.0, True)


def test_small_dense_workers_of_tensorrt_llm_wait_for_company_at_equal_lengths() -> None:
    def late(**fields: str) -> float:
        return served.settings(
            run(backend="trtllm", **SCRIPTED | fields), Checkpoint(weights="fp8_static", dense=True), HOPPER
        ).late

    assert late(tp_size="4") == 24
    assert late(tp_size="8") == 4
    assert late(tp_size="4", osl="8192") == 4


def test_sglang_looks_at_its_queue_less_often_with_many_clients() -> None:
    few, many = (
        served.settings(
            run(backend="sglang", **SCRIPTED | {"concurrency": n}), Checkpoint(weights="bf16", dense=False), BLACKWELL
        )
        for n in ("8", "16")
    )

    assert many.late - few.late == 10


def test_sglang_answers_sooner_where_the_scripts_say_so() -> None:
    def late(weights: str, sm: int, *, latent: bool) -> float:
        kind = Checkpoint(weights=weights, dense=False, latent=latent)
        return served.settings(run(backend="sglang", **SCRIPTED), kind, sm).late

    assert late("nvfp4", BLACKWELL, latent=True) == late("nvfp4", BLACKWELL, latent=False) - 10
    assert late("fp8_block", HOPPER, latent=True) == 9


def test_workers_share_the_clients_where_the_file_says_how_many_each_has() -> None:
    assert run(concurrency="416", batch_size="13").replicas == 32
    assert run(concurrency="448", batch_size="14", attention_dp_size="4").replicas == 8
    assert run(concurrency="16", batch_size="16").replicas == 1
    assert run(concurrency="17", batch_size="4").replicas == 1


def test_workers_that_share_clients_are_predicted_like_one_with_its_share() -> None:
    fields = {
        "backend": "vllm", "model_path": "Qwen/Qwen3-32B-FP8", "system": "h200_sxm", "isl": "4000", "osl": "500",
        "tp_size": "2", "precision": "fp8",
    }  # fmt: skip
    forecaster = forecast.Forecaster(Catalog())

    four = forecaster.of({**dict.fromkeys(measurements.NEEDED, "1"), **fields, "concurrency": "56", "batch_size": "14"})
    one = forecaster.of({**dict.fromkeys(measurements.NEEDED, "1"), **fields, "concurrency": "14", "batch_size": "14"})

    assert (four.ttft, four.itl) == (one.ttft, one.itl)
    assert four.throughput is not None
    assert one.throughput == pytest.approx(four.throughput / 4)
