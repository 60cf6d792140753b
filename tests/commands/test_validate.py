"""`dgdr validate`: every row keeps its place, errors are honest, defects are counted and not scored."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.cli import forecast, measurements
from dgdr_operator.cli.measurements import ADDED, BadRow, Sheet
from perf_db.catalog import Catalog

Run = Callable[..., Any]
HEADER = (
    "id,backend,backend_version,model_path,system,isl,osl,concurrency,tp_size,gemm_quant_mode,precision,"
    "silicon_ttft_ms,silicon_tpot_ms,defect,remark"
)
GOOD = 'a,vllm,0.12.0,Qwen/Qwen3-32B-FP8,h200_sxm,4000,500,14,2,,fp8,209,15.06,,"kept, as it is"'
OTHER_ENGINE = "b,trtllm,1.2.0rc5,Qwen/Qwen3-32B,h200_sxm,1000,100,8,2,fp8,fp8,100,10,,"
DEFECT = "c,vllm,0.12.0,Qwen/Qwen3-32B-FP8,h200_sxm,4000,500,14,2,,fp8,9999,9999,a label is wrong,"
UNKNOWN = "d,vllm,0.12.0,no/such-model,h200_sxm,4000,500,14,2,,fp8,209,15.06,,"
BROKEN = "e,vllm,0.12.0,Qwen/Qwen3-32B-FP8,h200_sxm,many,500,14,2,,fp8,209,15.06,,"
FIELDS = st.dictionaries(st.sampled_from(measurements.KNOWN), st.text(max_size=8))


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text("".join(f"{line}\n" for line in (HEADER, GOOD, OTHER_ENGINE, DEFECT, UNKNOWN, BROKEN)))
    return path


def test_coverage_and_errors_are_printed(dgdr: Run, runs: Path) -> None:
    ended = dgdr("validate", "--measurements", str(runs))
    text = " ".join(ended.out.split())

    assert (ended.code, ended.err) == (0, "")
    assert "3 of 5 rows predicted (60 %)" in text
    assert "1: isl must be a whole number, not 'many'" in text
    assert "1: defect, a label is wrong" in text
    for group in ("all rows", "vllm", "trtllm", "h200_sxm", "vllm x h200_sxm"):
        assert any(line.startswith(f"{group} ") for line in ended.out.splitlines())


def test_the_types_that_were_served_are_printed(dgdr: Run, runs: Path) -> None:
    lines = [line.split() for line in dgdr("validate", "--measurements", str(runs)).out.splitlines()]

    assert ["vllm", "Qwen/Qwen3-32B-FP8", "fp8_block", "fp8_block", "bf16", "2"] in lines
    assert ["trtllm", "nvidia/Qwen3-32B-FP8", "fp8_static", "fp8_static", "fp8", "1"] in lines


def test_a_row_with_a_defect_is_predicted_but_not_scored(dgdr: Run, runs: Path) -> None:
    scored = next(line for line in dgdr("validate", "--measurements", str(runs)).out.splitlines() if "all rows" in line)

    assert scored.split()[2] == "2"


def test_the_output_keeps_rows_and_columns_in_place(dgdr: Run, runs: Path, tmp_path: Path) -> None:
    dgdr("validate", "--measurements", str(runs), "--output", str(tmp_path / "out.csv"))
    before = _rows(runs)
    after = _rows(tmp_path / "out.csv")

    assert [row[: len(before[0])] for row in after] == before
    assert tuple(after[0][-len(ADDED) :]) == ADDED


def test_a_row_has_predictions_or_a_reason(dgdr: Run, runs: Path, tmp_path: Path) -> None:
    dgdr("validate", "--measurements", str(runs), "--output", str(tmp_path / "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))

    for row in rows:
        assert bool(row["error"]) != bool(row["predicted_itl_ms"])
        assert bool(row["predicted_ttft_ms"]) == bool(row["predicted_itl_ms"])
    assert float(rows[0]["predicted_itl_ms"]) == pytest.approx(15.06, rel=0.10)


def test_predicting_an_output_again_replaces_its_predictions(dgdr: Run, runs: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"

    dgdr("validate", "--measurements", str(runs), "--output", str(once))
    dgdr("validate", "--measurements", str(once), "--output", str(twice))

    assert once.read_bytes() == twice.read_bytes()


def test_a_file_without_measured_times_is_still_predicted(dgdr: Run, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("backend,model_path,system,isl,osl,concurrency,tp_size\nvllm,Qwen/Qwen3-32B-FP8,h200_sxm,9,9,1,2\n")

    ended = dgdr("validate", "--measurements", str(path))

    assert ended.code == 0
    assert "1 of 1 rows predicted" in ended.out
    assert "Nothing to score" in ended.out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty: a header and a row per run are needed"),
        ("a,b\n1,2\n", "lacks the column backend, model_path, system, isl, osl, concurrency, tp_size"),
        (HEADER.replace("osl", "osll") + "\n", "lacks the column osl; did you mean osll?"),
        (HEADER + "\n1,2\n", ", row 2: 2 fields where the header names 15"),
        (HEADER + ",isl\n", "has the column isl more than once"),
    ],
)
def test_a_malformed_file_is_one_sentence(dgdr: Run, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(text)

    ended = dgdr("validate", "--measurements", str(path))

    assert ended.code == 2
    assert ended.err.startswith(f"dgdr: {path}")
    assert ended.err.rstrip().endswith(sentence)


def test_a_file_that_is_no_text_is_refused(dgdr: Run, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")

    assert dgdr("validate", "--measurements", str(path)).code == 2


@given(record=FIELDS)
def test_whatever_a_row_holds_it_is_a_run_or_a_bad_row(record: dict[str, str]) -> None:
    row = {**dict.fromkeys(measurements.NEEDED, "1"), **record}

    try:
        run = measurements.run(row)
    except BadRow as problem:
        complaint = str(problem)
    else:
        complaint = ""
        assert min(run.isl, run.osl, run.concurrency, run.parallel.gpus) >= 1

    assert not complaint or " must be a whole number" in complaint


@given(cells=st.lists(st.lists(st.text(max_size=6), min_size=3, max_size=3).map(tuple), max_size=5))
def test_written_rows_read_back_as_they_were(cells: list[tuple[str, ...]]) -> None:
    sheet, file = Sheet(header=("x", "y", "z"), rows=tuple(cells)), io.StringIO(newline="")

    measurements.write(file, sheet, [tuple(measurements.ADDED)] * len(cells))
    file.seek(0)

    assert [tuple(row[:3]) for row in csv.reader(file)][1:] == list(cells)


@pytest.mark.parametrize(
    ("fields", "weights"),
    [
        ({"gemm_quant_mode": "fp8", "moe_quant_mode": "fp8"}, "fp8_static"),
        ({"gemm_quant_mode": "fp8", "moe_quant_mode": "fp8_block"}, "fp8_block"),
        ({"gemm_quant_mode": "nvfp4", "moe_quant_mode": "nvfp4"}, "nvfp4"),
        ({"gemm_quant_mode": ""}, None),
    ],
)
def test_weights_are_those_that_were_served(fields: dict[str, str], weights: str | None) -> None:
    run = measurements.run({**dict.fromkeys(measurements.NEEDED, "1"), **fields})

    assert forecast.label_of(run) == weights


@pytest.mark.parametrize(
    ("model", "dtype", "checkpoint", "asked"),
    [
        ("openai/gpt-oss-120b", "nvfp4", "openai/gpt-oss-120b", None),
        ("moonshotai/Kimi-K2.5", "int4_wo", "moonshotai/Kimi-K2.5", None),
        ("moonshotai/Kimi-K2.5", "nvfp4", "nvidia/Kimi-K2.5-NVFP4", None),
        ("deepseek-ai/DeepSeek-R1", "fp8_block", "deepseek-ai/DeepSeek-R1", None),
        ("Qwen/Qwen3-32B", "fp8_static", "nvidia/Qwen3-32B-FP8", None),
        ("meta-llama/Llama-2-7b-hf", "fp8_static", "meta-llama/Llama-2-7b-hf", "fp8_static"),
    ],
)
def test_the_checkpoint_that_was_served_is_found(model: str, dtype: str, checkpoint: str, asked: str | None) -> None:
    served, weights = forecast.Forecaster(Catalog()).checkpoint(model, dtype)

    assert (served.name, weights) == (checkpoint, asked)


IMPOSSIBLE = "f,vllm,0.12.0,Qwen/Qwen3-32B-FP8,h200_sxm,8000,2,100000,1,,fp8,50,5,,"
"""A hundred thousand prompts of 8000 tokens answered twenty times a second by one GPU."""


def test_a_row_beyond_the_peak_of_its_gpus_is_named_and_scored_apart(dgdr: Run, runs: Path) -> None:
    with runs.open("a") as file:
        file.write(f"{IMPOSSIBLE}\n")

    text = dgdr("validate", "--measurements", str(runs)).out
    counts = re.findall(r"^(all rows|without impossible) +(\d+) ", text, re.MULTILINE)

    assert "impossible as labelled: 1 of Qwen/Qwen3-32B-FP8 on h200_sxm, vllm (f)" in " ".join(text.split())
    assert counts[:2] == [("all rows", "3"), ("without impossible", "2")]


def test_predicted_throughput_is_what_clients_of_such_a_run_receive(dgdr: Run, runs: Path, tmp_path: Path) -> None:
    dgdr("validate", "--measurements", str(runs), "--output", str(tmp_path / "out.csv"))
    first = next(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    steady = 14 / (float(first["predicted_itl_ms"]) / 1000)

    assert 0.7 * steady < float(first["predicted_tokens_per_second"]) < steady
