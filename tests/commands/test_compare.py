"""`dgdr compare`: a plan that was saved, a run of AIPerf as it is found on a disk or in a log."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Run = Callable[..., Any]
MET = ("--ttft", "600", "--itl", "16.67", "--top", "1")
UNITS = {"request_throughput": "requests/sec", "output_token_throughput": "tokens/sec"}


@pytest.fixture
def saved(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> Path:
    """A saved folder."""
    assert dgdr(*example, *MET, "--save-dir", str(tmp_path / "results")).code == 0
    return tmp_path / "results"


@pytest.fixture
def plan(saved: Path) -> dict[str, Any]:
    """The predictions of the plan in that folder."""
    record = list(yaml.safe_load_all((saved / "plan.yaml").read_text()))[1]
    found: dict[str, Any] = yaml.safe_load(record["data"]["choice.yaml"])
    return found


def _measured(plan: dict[str, Any], **changes: float) -> dict[str, Any]:
    """AIPerf's summary (as version 0.13 writes it) of a run that went exactly as planned, with *changes*."""
    averages = {
        "time_to_first_token": plan["ttft_ms"],
        "inter_token_latency": plan["itl_ms"],
        "request_latency": plan["request_latency_ms"],
        "request_throughput": plan["request_rate"],
        "output_token_throughput": plan["tokens_per_second"],
        "input_sequence_length": plan["isl"],
        "output_sequence_length": plan["osl"],
        **changes,
    }
    blocks = {tag: {"unit": UNITS.get(tag, "ms"), "avg": value, "p50": value} for tag, value in averages.items()}
    return {**blocks, "schema_version": "1.3", "start_time": "2026-11-21T10:00:00", "input_config": {"endpoint": {}}}


def _compared(dgdr: Run, saved: Path, path: Path) -> dict[str, Any]:
    ended = dgdr("compare", "--plan", str(saved / "plan.yaml"), "--aiperf", str(path), "--output", "json")
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def _write(folder: Path, summary: dict[str, Any]) -> Path:
    place = folder / "artifacts" / "qwen-chat-concurrency80"
    place.mkdir(parents=True)
    (place / "profile_export_aiperf.json").write_text(json.dumps(summary))
    (place / "phases" / "warmup").mkdir(parents=True)
    (place / "phases" / "warmup" / "profile_export_aiperf.json").write_text("{}")
    return folder


def test_a_run_as_planned_has_no_errors(dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    found = _compared(dgdr, saved, _write(tmp_path / "run", _measured(plan)))

    assert {name: line["error"] for name, line in found["metrics"].items()} == dict.fromkeys(
        ["ttft_ms", "itl_ms", "request_latency_ms", "request_rate", "tokens_per_second"], 0.0
    )
    assert any("within 10 %" in remark for remark in found["remarks"])
    assert not any("instead of" in remark for remark in found["remarks"])


def test_what_was_measured_is_held_to_the_predicted_interval(
    dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path
) -> None:
    low, high = plan["itl_ms_low"], plan["itl_ms_high"]
    summary = _measured(plan, inter_token_latency=(low + high) / 2, time_to_first_token=plan["ttft_ms_high"] * 1.01)

    found = _compared(dgdr, saved, _write(tmp_path / "run", summary))

    itl, ttft = found["metrics"]["itl_ms"], found["metrics"]["ttft_ms"]
    assert (itl["low"], itl["high"], itl["inside"]) == (low, high, True)
    assert ttft["inside"] is False
    (outside,) = [remark for remark in found["remarks"] if "lies outside the 90 % interval" in remark]
    assert outside.startswith("TTFT")


def test_errors_are_relative_to_what_was_measured(dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    summary = _measured(plan, inter_token_latency=plan["itl_ms"] * 1.25)

    found = _compared(dgdr, saved, _write(tmp_path / "run", summary))

    assert found["metrics"]["itl_ms"]["error"] == pytest.approx(-0.2, abs=1e-5)
    assert any("further than 10 %" in remark for remark in found["remarks"])


@pytest.mark.parametrize("form", ["json", "csv", "log"])
def test_a_run_is_read_from_every_place_it_is_written_to(
    dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path, form: str
) -> None:
    summary = _measured(plan, time_to_first_token=1234.5)
    texts = {
        "json": json.dumps(summary, indent=2),
        "log": f"Collecting aiperf\n=== profile_export_aiperf.json\n{json.dumps(summary)}\n",
        "csv": "\n".join(
            [
                "Metric,avg,min,max,p50",
                'Time to First Token (ms),"1,234.50",1.0,2.0,3.0',
                f"Inter Token Latency (ms),{plan['itl_ms']},1,2,3",
                "",
                "Metric,Value",
                f"Request Throughput (requests/sec),{plan['request_rate']}",
            ]
        ),
    }
    path = tmp_path / f"run.{form}"
    path.write_text(texts[form])

    found = _compared(dgdr, saved, path)["metrics"]

    assert found["ttft_ms"]["measured"] == 1234.5
    assert found["request_rate"]["error"] == pytest.approx(0)


def test_seconds_become_milliseconds(dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    summary = _measured(plan)
    summary["time_to_first_token"] = {"unit": "s", "avg": 0.5}

    assert _compared(dgdr, saved, _write(tmp_path, summary))["metrics"]["ttft_ms"]["measured"] == 500


def test_another_load_is_said_to_be_one(dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    summary = _measured(plan, input_sequence_length=1000.0, request_throughput=1.0, error_request_count=3)

    remarks = _compared(dgdr, saved, _write(tmp_path, summary))["remarks"]

    assert any("prompts had 1000 tokens instead of 4000" in remark for remark in remarks)
    assert any("requests were in flight instead of" in remark for remark in remarks)
    assert any("3 requests failed" in remark for remark in remarks)


def test_ten_seconds_to_the_first_token_point_at_the_network(
    dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path
) -> None:
    assert plan["mode"] == "disaggregated"

    remarks = _compared(dgdr, saved, _write(tmp_path, _measured(plan, time_to_first_token=12_000.0)))["remarks"]

    assert any("dgdr doctor" in remark for remark in remarks)


def test_every_rank_can_be_compared(dgdr: Run, saved: Path, plan: dict[str, Any], tmp_path: Path) -> None:
    run = _write(tmp_path / "run", _measured(plan))

    for path in sorted(saved.glob("*/top*/plan.yaml")):
        ended = dgdr("compare", "--plan", str(path), "--aiperf", str(run))
        assert ended.code == 0
        assert ended.out.startswith(path.parts[-3])


def _two_runs(folder: Path) -> Path:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "profile_export_aiperf.json").write_text("{}")
    return folder


def _file(folder: Path, text: str, name: str = "run.json") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda folder: folder / "nothing", "No such file or directory"),
        (lambda folder: folder, "is it the --artifact-dir of a finished run?"),
        (_two_runs, "holds 2 runs"),
        (lambda folder: _file(folder, "no json"), "is not JSON"),
        (lambda folder: _file(folder, "[1]"), "holds no summary of a run"),
        (lambda folder: _file(folder, '{"request_count": {"unit": "requests", "avg": 3}}'), "was it --streaming?"),
        (lambda folder: _file(folder, "\n", "run.csv"), "holds no rows of AIPerf's metrics"),
    ],
)
def test_a_run_that_cannot_be_read_is_one_sentence(
    dgdr: Run, saved: Path, tmp_path: Path, run: Callable[[Path], Path], said: str
) -> None:
    (tmp_path / "run").mkdir()

    ended = dgdr("compare", "--plan", str(saved / "plan.yaml"), "--aiperf", str(run(tmp_path / "run")))

    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_a_plan_without_predictions_is_one_sentence(dgdr: Run, root: Path, tmp_path: Path) -> None:
    ended = dgdr("compare", "--plan", str(root / "examples" / "01-minimal.yaml"), "--aiperf", str(tmp_path))

    assert ended.code == 2
    assert "holds no predictions" in ended.err
