"""The JSON document and the CSV files: what scripts read, exactly."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from dgdr_operator.report import artifacts, document
from dgdr_operator.report.asked import Asked
from estimator.estimates import Estimate, Infeasible, Outcome

NUMBER = {"type": "number"}
COUNT = {"type": "integer", "minimum": 1}


def _closed(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


PARALLELISM = _closed(dict.fromkeys(("tp", "pp", "dp", "moe_tp", "moe_ep"), COUNT))
POOL = _closed({"workers": COUNT, "batch_size": COUNT, "parallelism": PARALLELISM})
SHARED = {
    "backend": {"enum": ["vllm", "sglang", "trtllm"]},
    "backend_version": {"type": "string"},
    **dict.fromkeys(("replicas", "gpus", "gpus_per_replica", "concurrency"), COUNT),
    **dict.fromkeys(("ttft_ms", "request_latency_ms", "tokens_per_second", "tokens_per_second_per_gpu"), NUMBER),
    **{name: {"type": ["number", "null"]} for name in ("itl_ms", "tokens_per_second_per_user")},
    **dict.fromkeys(("request_rate", "memory_gib"), NUMBER),
    "sla_probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    **{
        f"{name}_{end}": {"type": ["number", "null"]}
        for name in ("ttft_ms", "itl_ms", "tokens_per_second")
        for end in ("low", "high")
    },
    "doubtful": {"type": "boolean"},
    "provenance": {"type": "object", "additionalProperties": NUMBER},
}
ROW = {
    "oneOf": [
        _closed({"mode": {"const": "aggregated"}, "batch_size": COUNT, "parallelism": PARALLELISM, **SHARED}),
        _closed({"mode": {"const": "disaggregated"}, "prefill": POOL, "decode": POOL, **SHARED}),
    ]
}
ROWS = {"type": "array", "items": ROW}
OPTIONAL_ROW = {"oneOf": [ROW, {"type": "null"}]}
DOCUMENT = _closed(
    {
        "request": {"type": "object"},
        "feasible": {"type": "boolean"},
        "chosen": OPTIONAL_ROW,
        "aggregated": ROWS,
        "disaggregated": ROWS,
        "frontier": ROWS,
        "rejections": {"type": "object", "additionalProperties": {"type": "integer"}},
        "elapsed_seconds": NUMBER,
        "infeasible": _closed(
            {
                "binding": {"type": "string"},
                **dict.fromkeys(("best_ttft", "best_itl", "best_throughput", "nearest"), OPTIONAL_ROW),
                "relaxations": {
                    "type": "array",
                    "items": _closed({"knob": {"type": "string"}, "value": NUMBER, "estimate": ROW}),
                },
                "needed_gib": {"type": ["number", "null"]},
                "message": {"type": "string"},
            }
        ),
    },
    optional=("infeasible",),
)


def test_an_answer_matches_its_schema(asked: Asked, outcome: Outcome) -> None:
    found = json.loads(document.feasible(asked, outcome, 0.1))

    jsonschema.validate(found, DOCUMENT)
    assert found["feasible"] is True
    assert "infeasible" not in found


def test_a_refusal_has_the_same_keys_and_the_reasons(asked: Asked, infeasible: Infeasible) -> None:
    found = json.loads(document.infeasible(asked, infeasible, 0.1))

    jsonschema.validate(found, DOCUMENT)
    assert found["feasible"] is False
    assert found["chosen"] is None
    assert found["infeasible"]["binding"] == "ttft"
    assert [one["knob"] for one in found["infeasible"]["relaxations"]] == ["ttft_ms", "totalGpus"]


def test_the_request_keeps_the_numbers_the_user_gave(asked: Asked, outcome: Outcome) -> None:
    request = json.loads(document.feasible(asked, outcome, 0.1))["request"]

    assert request["itl_ms"] == 16.67
    assert request["ttft_ms"] == 600
    assert request["request_latency_ms"] is None


def test_times_are_milliseconds_and_memory_is_gib(asked: Asked, outcome: Outcome) -> None:
    chosen = json.loads(document.feasible(asked, outcome, 0.1))["chosen"]

    assert chosen["ttft_ms"] == 388.11
    assert chosen["memory_gib"] == pytest.approx(24.7)
    assert chosen["tokens_per_second_per_gpu"] == pytest.approx(521.77)


def test_a_single_output_token_has_null_for_its_speed(asked: Asked, outcome: Outcome) -> None:
    latency = replace(outcome.choice.latency, itl=None)
    single = replace(outcome, choice=replace(outcome.choice, latency=latency))

    chosen = json.loads(document.feasible(asked, single, 0.1))["chosen"]

    assert chosen["itl_ms"] is None
    assert chosen["tokens_per_second_per_user"] is None


def test_a_csv_file_has_the_same_facts_as_the_rows(
    aggregated: tuple[Estimate, ...], disaggregated: tuple[Estimate, ...]
) -> None:
    found = list(csv.DictReader(io.StringIO(artifacts.table((*aggregated, *disaggregated)))))

    assert [line["mode"] for line in found] == ["aggregated"] * 3 + ["disaggregated"] * 2
    assert found[0]["parallelism.tp"] == "2"
    assert found[0]["prefill.workers"] == ""
    assert found[3]["decode.parallelism.tp"] == "4"
    assert found[4]["provenance.formula"] == "0.3"
