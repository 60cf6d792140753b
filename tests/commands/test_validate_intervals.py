"""`dgdr calibrate` and the intervals that `dgdr validate` hands on."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgdr_operator.report import accuracy_document
from estimator.backends.bounds import BOUNDS
from perf_db import accuracy, hosts
from perf_db.catalog import SHIPPED
from perf_db.errors import BrokenPack

Run = Callable[..., Any]
HEADER = "backend,backend_version,model_path,system,isl,osl,concurrency,tp_size,silicon_ttft_ms,silicon_tpot_ms,defect"
MODELS = ("Qwen/Qwen3-32B-FP8", "Qwen/Qwen3-8B", "meta-llama/Llama-3.1-8B")
LOADS = (4, 8, 16)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    rows = [f"vllm,0.12.0,{model},h200_sxm,1000,100,{load},2,60,{8 + load / 4},," for model in MODELS for load in LOADS]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join([HEADER, *(row.removesuffix(",") for row in rows)]) + "\n")
    return path


def _calibrated(dgdr: Run, runs: Path) -> accuracy.Accuracy:
    out = runs.parent / accuracy.FILE
    ended = dgdr(
        *("calibrate", "--measurements", str(runs), "--source", "invented", "--date", "2026-01-31"),
        *("--output", str(out)),
    )
    assert (ended.code, ended.err) == (0, "")
    found = accuracy.read(runs.parent)
    assert found is not None
    return found


def test_what_is_learned_says_from_what_and_when(dgdr: Run, runs: Path) -> None:
    found = _calibrated(dgdr, runs)

    assert (found.source, found.date, found.counts["scored"]) == ("invented", "2026-01-31", 9)
    assert set(found.bands["vllm"]) == {"itl", "ttft", "throughput"}
    assert all(band.groups == 3 and band.low <= band.high for band in found.bands["vllm"].values())


def test_the_same_runs_teach_the_same(dgdr: Run, runs: Path) -> None:
    assert _calibrated(dgdr, runs) == _calibrated(dgdr, runs)


def test_rows_carry_intervals_around_their_predictions(dgdr: Run, runs: Path, tmp_path: Path) -> None:
    stored = accuracy.read(SHIPPED)
    assert stored is not None
    dgdr("validate", "--measurements", str(runs), "--output", str(tmp_path / "out.csv"))

    for row in csv.DictReader((tmp_path / "out.csv").read_text().splitlines()):
        for name, metric in (("itl_ms", "itl"), ("ttft_ms", "ttft"), ("tokens_per_second", "throughput")):
            band, value = stored.bands["vllm"][metric], float(row[f"predicted_{name}"])
            assert float(row[f"predicted_{name}_low"]) == pytest.approx(value * band.low, rel=1e-4)
            assert float(row[f"predicted_{name}_high"]) == pytest.approx(value * band.high, rel=1e-4)


def test_coverage_is_printed_with_groups_left_out(dgdr: Run, runs: Path) -> None:
    text = dgdr("validate", "--measurements", str(runs)).out

    assert "Measurements inside 90 % intervals" in text
    assert "group left out" in text


def test_the_page_of_accuracy_is_the_one_that_the_stored_figures_give(root: Path) -> None:
    stored = accuracy.read(SHIPPED)

    assert stored is not None
    assert (root / "docs" / "accuracy.md").read_text() == accuracy_document.page(stored, hosts.read(SHIPPED)), (
        "run `make accuracy`"
    )


@pytest.mark.parametrize("metric", ["itl", "ttft", "throughput"])
def test_weaker_evidence_widens_the_stored_intervals(metric: str) -> None:
    stored = accuracy.read(SHIPPED)
    assert stored is not None

    bands = [stored.band("vllm", metric, evidence) for evidence in ("measured", "transferred", "formula")]

    widths = [band.high / band.low for band in bands if band is not None]
    assert widths[0] <= widths[1]
    assert 1.2 * widths[0] < widths[2], "formulas are not as good as measurements"


@pytest.mark.parametrize("missing", ["--measurements", "--source", "--date"])
def test_what_is_missing_is_named(dgdr: Run, runs: Path, missing: str) -> None:
    given = {"--measurements": str(runs), "--source": "invented", "--date": "2026-01-31"}
    words = [word for name, value in given.items() if name != missing for word in (name, value)]

    ended = dgdr("calibrate", *words)

    assert ended.code == 2
    assert ended.err.startswith(f"dgdr: {missing} must be given")


def test_a_missing_folder_is_named_before_the_work_begins(dgdr: Run, runs: Path) -> None:
    out = runs.parent / "nowhere" / accuracy.FILE

    ended = dgdr(
        *("calibrate", "--measurements", str(runs), "--source", "invented", "--date", "2026-01-31"),
        *("--output", str(out)),
    )

    assert ended.code == 2
    assert ended.err == f"dgdr: --output: there is no folder {out.parent}\n"


def test_a_broken_store_is_named(tmp_path: Path) -> None:
    (tmp_path / accuracy.FILE).write_text(json.dumps({"bands": {"vllm": {"itl": {"low": 1}}}}))

    with pytest.raises(BrokenPack, match=accuracy.FILE):
        accuracy.read(tmp_path)


def test_the_summary_for_programs_holds_coverage_errors_intervals_and_regret(dgdr: Run, runs: Path) -> None:
    found = json.loads(dgdr("validate", "--measurements", str(runs), "--summary", "json").out)

    assert found["coverage"] == {"rows": 9, "predicted": 9, "left_out": {}, "defects": {}}
    assert found["errors"]["all"]["all rows"]["itl"]["n"] == 9
    assert set(found["inside_90"]["vllm"]) == {"itl", "ttft", "throughput"}
    assert found["regret"] == {}


def test_what_choosing_by_predictions_loses_is_printed(dgdr: Run, runs: Path) -> None:
    with runs.open("a") as file:
        file.writelines(f"vllm,0.12.0,{MODELS[0]},h200_sxm,1000,100,{load},4,60,{6 + load / 8},\n" for load in LOADS)

    ended = dgdr("validate", "--measurements", str(runs))
    found = json.loads(dgdr("validate", "--measurements", str(runs), "--summary", "json").out)["regret"]

    assert "Output lost by trusting predictions" in ended.out
    assert found["all"]["groups"] == 1
    assert found["all"]["configurations"] == 2
    assert 0 <= found["all"]["mean"] <= 1


def test_constants_are_fitted_and_stored_beside_what_is_learned(dgdr: Run, runs: Path) -> None:
    ended = dgdr(
        *("calibrate", "--measurements", str(runs), "--source", "invented", "--date", "2026-01-31"),
        *("--output", str(runs.parent / accuracy.FILE), "--fit"),
    )
    found = hosts.read(runs.parent)

    assert (ended.code, ended.err) == (0, "")
    assert found is not None
    assert set(found.engines) == {"vllm"}
    assert set(found.engines["vllm"].constants) == set(BOUNDS)
    assert set(found.engines["vllm"].scores["fitted"]) == {
        *("in sample", "group left out", "model left out", "system left out")
    }
    assert "vllm: per_prompt_layer " in ended.out
