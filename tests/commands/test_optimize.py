"""`dgdr optimize` as scripts and people use it, on the measurements that ship with it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.manifest import views

Run = Callable[..., Any]
MET = ("--ttft", "600", "--itl", "16.67")
UNMET = ("--ttft", "50", "--itl", "2")
KEYS = ["request", "feasible", "chosen", "aggregated", "disaggregated", "frontier", "rejections", "elapsed_seconds"]


def _json(ended: Any) -> dict[str, Any]:  # noqa: ANN401  # what the fixture returns
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_the_customers_question_has_an_answer(spawn: Run, example: tuple[str, ...]) -> None:
    ended = spawn(*example, *MET, "--output", "json")
    found = _json(ended)

    assert (ended.code, ended.err) == (0, "")
    assert list(found) == KEYS
    assert found["feasible"] is True
    assert found["chosen"]["ttft_ms"] <= 600
    assert found["chosen"]["itl_ms"] <= 16.67
    assert found["chosen"]["gpus"] <= 8
    assert found["chosen"] in found["aggregated"] + found["disaggregated"]


def test_four_replicas_of_two_gpus_are_among_the_two_best_aggregated_plans(dgdr: Run, example: tuple[str, ...]) -> None:
    best = _json(dgdr(*example, *MET, "--output", "json"))["aggregated"][:2]

    assert (2, 4) in [(row["parallelism"]["tp"], row["replicas"]) for row in best]


def test_every_ranked_plan_keeps_the_promises_and_the_budget(dgdr: Run, example: tuple[str, ...]) -> None:
    found = _json(dgdr(*example, *MET, "--output", "json"))

    for row in found["aggregated"] + found["disaggregated"]:
        assert row["ttft_ms"] <= 600
        assert row["itl_ms"] <= 16.67
        assert row["gpus"] <= 8
        assert sum(row["provenance"].values()) == pytest.approx(1, abs=1e-4)


def test_the_chosen_plan_lies_on_the_frontier(dgdr: Run, example: tuple[str, ...]) -> None:
    found = _json(dgdr(*example, *MET, "--output", "json"))
    chosen = found["chosen"]

    for row in found["frontier"]:
        faster = row["tokens_per_second_per_user"] > chosen["tokens_per_second_per_user"] * (1 + 1e-5)
        richer = row["tokens_per_second_per_gpu"] > chosen["tokens_per_second_per_gpu"] * (1 + 1e-5)
        met = row["ttft_ms"] <= 600 and row["itl_ms"] <= 16.67
        assert not (faster and richer and met)


def test_an_impossible_promise_ends_with_three_and_the_way_out(spawn: Run, example: tuple[str, ...]) -> None:
    ended = spawn(*example, *UNMET)
    text = " ".join(ended.out.split())

    assert (ended.code, ended.err) == (3, "")
    assert "the binding constraint is" in text
    assert "TTFT" in text
    assert "ms at best, by" in text


def test_the_refusal_as_json_has_the_same_keys_and_the_reasons(dgdr: Run, example: tuple[str, ...]) -> None:
    ended = dgdr(*example, *UNMET, "--output", "json")
    found = _json(ended)

    assert ended.code == 3
    assert list(found) == [*KEYS, "infeasible"]
    assert (found["feasible"], found["chosen"]) == (False, None)
    assert found["infeasible"]["best_ttft"]["ttft_ms"] > 50
    assert found["infeasible"]["best_itl"]["itl_ms"] > 2


def test_a_suggested_relaxation_is_enough(dgdr: Run, example: tuple[str, ...]) -> None:
    refused = _json(dgdr(*example, "--ttft", "80", "--itl", "30", "--output", "json"))["infeasible"]
    flags = {"ttft_ms": "--ttft", "itl_ms": "--itl", "totalGpus": "--total-gpus"}
    ways = [way for way in refused["relaxations"] if way["knob"] in flags]

    assert ways
    for way in ways:
        change = (flags[way["knob"]], str(way["value"] * (1 + 1e-9) if "ms" in way["knob"] else way["value"]))
        assert dgdr(*example, "--ttft", "80", "--itl", "30", *change).code == 0


@pytest.mark.parametrize(
    "spelling",
    [
        ("--model_path", "--total_gpus", "--tpot", "--backend_version"),
        ("--model-path", "--total-gpus", "--tpot", "--backend-version"),
        ("--model", "--total_gpus", "--itl", "--backend_version"),
    ],
)
def test_every_spelling_asks_the_same(dgdr: Run, example: tuple[str, ...], spelling: tuple[str, ...]) -> None:
    model, gpus, itl, version = spelling
    respelled = [
        {"--model": model, "--total-gpus": gpus, "--backend-version": version}.get(word, word) for word in example
    ]

    ours = _json(dgdr(*example, *MET, "--output", "json"))
    theirs = _json(dgdr(*respelled, "--ttft", "600", f"{itl}=16.67", "--output", "json"))

    del ours["elapsed_seconds"], theirs["elapsed_seconds"]
    assert ours == theirs


def test_the_page_shows_tables_and_chart(spawn: Run, example: tuple[str, ...]) -> None:
    ended = spawn(*example, *MET, COLUMNS="100", PYTHONIOENCODING="utf-8")

    assert ended.code == 0
    for said in ("Aggregated, best first", "Disaggregated, best first", "tokens/s/GPU (up)", "◆ the plan", "Evidence"):
        assert said in ended.out


def test_an_ascii_terminal_gets_ascii(spawn: Run, example: tuple[str, ...]) -> None:
    ended = spawn(*example, *MET, PYTHONIOENCODING="ascii")

    assert ended.code == 0
    assert ended.out.isascii()


def test_all_engines_are_asked_when_none_is_named(dgdr: Run) -> None:
    model = ("--model", "Qwen/Qwen3-32B-FP8", "--system", "h200_sxm", "--total-gpus", "8")
    found = _json(dgdr("optimize", *model, "--isl", "4000", "--osl", "500", *MET, "--top", "12", "--output", "json"))
    rows = found["aggregated"] + found["disaggregated"]

    assert {row["backend"] for row in rows} == {"vllm", "sglang", "trtllm"}
    assert found["chosen"]["tokens_per_second"] == max(row["tokens_per_second"] for row in rows)


def test_an_older_version_of_the_measurements_is_said(dgdr: Run, example: tuple[str, ...]) -> None:
    ended = dgdr(*example, *MET, "--backend-version", "0.12.9")

    assert ended.code == 0
    assert "0.12.9 was not measured" in " ".join(ended.out.split())


def test_top_limits_the_tables(dgdr: Run, example: tuple[str, ...]) -> None:
    found = _json(dgdr(*example, *MET, "--top", "1", "--output", "json"))

    assert (len(found["aggregated"]), len(found["disaggregated"])) == (1, 1)


def test_the_folder_holds_what_the_page_says(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> None:
    ended = dgdr(*example, *MET, "--top", "2", "--save-dir", str(tmp_path / "results"))
    folder = tmp_path / "results"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    assert ended.code == 0
    assert names == sorted(
        [
            *(
                f"{mode}/top{rank}/{name}"
                for mode in ("aggregated", "disaggregated")
                for rank in (1, 2)
                for name in ("aiperf-job.yaml", "k8s_deploy.yaml", "plan.yaml", "run_0.sh")
            ),
            *("best_config_topn.csv", "pareto.csv", "pareto_frontier.png", "plan.yaml", "report.html", "report.txt"),
        ]
    )
    assert len(list(csv.DictReader((folder / "best_config_topn.csv").read_text().splitlines()))) == 4
    assert "Aggregated, best first" in (folder / "report.txt").read_text(encoding="utf-8")


def test_every_saved_manifest_is_a_graph_of_its_plan(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> None:
    dgdr(*example, *MET, "--save-dir", str(tmp_path))

    roles = {"aggregated": {"frontend", "worker"}, "disaggregated": {"frontend", "prefill", "decode"}}

    for mode, expected in roles.items():
        manifests = list((tmp_path / mode).glob("top*/k8s_deploy.yaml"))
        assert manifests
        for path in manifests:
            graph = list(yaml.safe_load_all(path.read_text()))[-1]
            assert graph["kind"] == "DynamoGraphDeployment"
            assert {part.kind for part in views.of(graph)} == expected


def test_saving_twice_gives_the_same_bytes(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> None:
    def contents() -> dict[str, bytes]:
        dgdr(*example, *MET, "--save-dir", str(tmp_path))
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert contents() == contents()


def test_the_saved_request_plans_the_saved_graph(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> None:
    chosen = _json(dgdr(*example, *MET, "--save-dir", str(tmp_path), "--output", "json"))["chosen"]

    planned = dgdr("plan", "-f", str(tmp_path / "plan.yaml"))

    assert f"ITL {chosen['itl_ms']:.2f} ms, {chosen['tokens_per_second_per_gpu']:.1f} tokens/s per GPU" in planned.err
    assert planned.code == 0
    assert planned.out == (tmp_path / chosen["mode"] / "top1" / "k8s_deploy.yaml").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_made_is_one_sentence(dgdr: Run, example: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    ended = dgdr(*example, *MET, "--save-dir", str(tmp_path / "file"))

    assert ended.code == 2
    assert ended.err == f"dgdr: {tmp_path / 'file'}: File exists\n"
