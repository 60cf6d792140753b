"""`dgdr support` tells what is measured, and where a doubt is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from estimator import catalogue, coverage, hardware
from estimator.backends import registry
from perf_db.catalog import Catalog

Run = Callable[..., Any]
DENSE = ("support", "--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--backend", "vllm")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog()


def _records(ended: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # what the fixture returns
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


def test_the_shares_of_every_worker_sum_to_one(dgdr: Run) -> None:
    (found,) = _records(dgdr(*DENSE, "--output", "json"))

    workers = [worker for mode in ("aggregated", "disaggregated") for worker in found[mode]["workers"].values()]
    assert [len(found[mode]["workers"]) for mode in ("aggregated", "disaggregated")] == [1, 2]
    for worker in workers:
        assert sum(op["share"] for op in worker["ops"]) == pytest.approx(1, abs=1e-4)
        assert sum(worker["provenance"].values()) == pytest.approx(1, abs=1e-4)


def test_elementwise_kernels_do_not_count_as_doubt(dgdr: Run) -> None:
    (found,) = _records(dgdr(*DENSE, "--output", "json"))
    worker = found["aggregated"]["workers"]["aggregated"]

    doubtful = sum(worker["provenance"].get(name, 0.0) for name in ("transferred", "formula"))
    assert worker["provenance"]["elementwise"] > 0
    assert worker["unmeasured"] == pytest.approx(doubtful, abs=1e-4)
    assert found["aggregated"]["verdict"] == "measured"


@pytest.mark.parametrize("name", ["Qwen/Qwen3-32B-FP8", "openai/gpt-oss-120b", "deepseek-ai/DeepSeek-V3"])
@pytest.mark.parametrize("backend", registry.NAMES)
def test_a_pool_is_as_good_as_its_worse_worker(catalog: Catalog, name: str, backend: str) -> None:
    system = hardware.system("h200_sxm", catalog.systems()["h200_sxm"])

    found = coverage.coverage(catalogue.load(name), system, backend, catalog)

    prefill, decode = found.modes["disaggregated"].workers
    (both,) = found.modes["aggregated"].workers
    assert min(prefill.doubt, decode.doubt) - 1e-9 <= both.doubt <= max(prefill.doubt, decode.doubt) + 1e-9
    if max(prefill.doubt, decode.doubt) <= coverage.SURE:
        assert found.modes["disaggregated"].verdict == "measured"
    else:
        assert found.modes["disaggregated"].verdict in {"partly", "estimated"}


def test_another_family_standing_in_is_never_called_measured(catalog: Catalog) -> None:
    model = next(model for model in map(catalogue.load, catalogue.names()) if model.nearest)
    system = hardware.system("h200_sxm", catalog.systems()["h200_sxm"])

    found = coverage.coverage(model, system, "vllm", catalog)

    assert {mode.verdict for mode in found.modes.values()} <= {"estimated", "no"}
    assert any(model.nearest in note for note in found.notes)


def test_the_smallest_worker_is_looked_at(catalog: Catalog) -> None:
    system = hardware.system("h200_sxm", catalog.systems()["h200_sxm"])
    small, large = (
        coverage.coverage(catalogue.load(name), system, "vllm", catalog).modes["aggregated"].workers[0].parallel.gpus
        for name in ("Qwen/Qwen3-32B-FP8", "deepseek-ai/DeepSeek-V3")
    )

    assert small == 1
    assert large == 8


def test_an_engine_without_measurements_is_a_no_with_its_reason(dgdr: Run, catalog: Catalog) -> None:
    unmeasured = sorted(set(catalog.systems()) - {pack.system for pack in catalog.packs()})
    system = hardware.system("nowhere", catalog.systems()["h200_sxm"])

    found = coverage.coverage(catalogue.load("Qwen/Qwen3-8B"), system, "vllm", catalog)

    assert found.modes["aggregated"].verdict == "no"
    assert "nowhere" in found.modes["aggregated"].reason
    for name in unmeasured[:1]:
        assert "no: " in dgdr("support", "--model", "Qwen/Qwen3-8B", "--system", name).out


def test_auto_looks_at_every_engine(dgdr: Run) -> None:
    found = _records(dgdr(*DENSE[:-2], "--output", "json"))

    assert [one["backend"] for one in found] == list(registry.NAMES)


def test_without_a_system_every_measured_system_has_a_line(dgdr: Run, catalog: Catalog) -> None:
    page = dgdr("support", "--model", "Qwen/Qwen3-8B").out

    lines = [line.split()[0] for line in page.splitlines() if line.strip()]
    assert {pack.system for pack in catalog.packs()} <= set(lines)


def test_without_a_model_systems_versions_and_models_are_listed(dgdr: Run, catalog: Catalog) -> None:
    found = json.loads(dgdr("support", "--output", "json").out)

    assert found["models"] == list(catalogue.names())
    for pack in catalog.packs():
        assert pack.version in found["systems"][pack.system][pack.backend]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(spawn: Run, width: int) -> None:
    page = spawn(*DENSE, COLUMNS=str(width), PYTHONIOENCODING="utf-8").out

    assert page
    assert all(len(line) <= width for line in page.splitlines())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--model", "Qwen/Qwen3-33B"), "nearest: Qwen/Qwen3"),
        (("--model", "Qwen/Qwen3-8B", "--system", "h20_sxm"), "did you mean"),
        (("--model", "Qwen/Qwen3-8B", "--backend", "vlm"), "did you mean vllm?"),
        (("--model", "Qwen/Qwen3-8B", "--backend-version", "0.12.0"), "needs one --backend"),
    ],
)
def test_mistakes_are_told_in_a_sentence(dgdr: Run, arguments: tuple[str, ...], complaint: str) -> None:
    ended = dgdr("support", *arguments)

    assert ended.code == 2
    assert complaint in ended.err
    assert len(ended.err.splitlines()) == 1
