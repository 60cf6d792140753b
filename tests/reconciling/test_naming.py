"""Requests that ask the same are searched for once; names come afterwards, and come out as if each were alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgdr_operator import journey, spec
from dgdr_operator.controller import slot
from dgdr_operator.controller.answers import Refused
from dgdr_operator.planned import Planned
from dgdr_operator.settings import Settings
from tests.reconciling import worlds

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?", fullmatch=True)
SETTINGS = Settings()


def asking(name: str, namespace: str = worlds.NAMESPACE, **spec_of: Any) -> worlds.Object:  # noqa: ANN401 -- JSON
    """A feasible request called *name*."""
    hardware = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
    body: worlds.Object = {
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": "Qwen/Qwen3-32B-FP8", "backend": "trtllm", "hardware": hardware, **spec_of},
    }
    return body


@settings(max_examples=20, deadline=None)
@given(first=NAMES, second=NAMES, namespace=st.sampled_from(["team", "a-team-with-a-long-name"]))
def test_a_solution_found_for_one_name_serves_another_as_a_plan_of_its_own_would(
    first: str, second: str, namespace: str
) -> None:
    catalog = slot.catalog()
    asked, other = spec.read(asking(first)), spec.read(asking(second, namespace))

    alone = journey.plan(other, None, catalog, SETTINGS)
    shared = journey.named(journey.solve(asked, None, catalog, SETTINGS), other.identity, alone.input_hash)

    assert shared.objects == alone.objects
    assert shared.request == alone.request
    assert shared.notes == alone.notes


def test_names_do_not_change_the_question_and_all_else_does() -> None:
    asked = [asking("a"), asking("b", "elsewhere"), asking("a", workload={"isl": 100, "osl": 10})]

    hashes = [journey.question_hash(spec.read(body), None, "data", SETTINGS) for body in asked]

    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]
    assert hashes[0] != journey.question_hash(spec.read(asked[0]), None, "newer data", SETTINGS)


def test_every_request_gets_objects_of_its_own() -> None:
    first, second = (slot.plan(asking(name), None, SETTINGS) for name in ("one", "two"))

    assert isinstance(first, Planned)
    assert isinstance(second, Planned)
    assert (first.name, second.name) == ("one-dgd", "two-dgd")
    assert first.graph["metadata"]["annotations"] != second.graph["metadata"]["annotations"]
    assert first.summary == second.summary


def counting(answers: list[str]) -> Callable[[str], Callable[[], Refused]]:
    """Makes solvers that note in *answers* that they were needed."""

    def solver(asked: str) -> Callable[[], Refused]:
        def solve() -> Refused:
            answers.append(asked)
            return Refused(why="infeasible", message=asked)

        return solve

    return solver


@pytest.mark.parametrize(
    ("asked", "solved"), [("aaa", "a"), ("abab", "ab"), ("abac", "abc"), ("abacb", "abcb"), ("abcabc", "abcabc")]
)
def test_an_answer_is_remembered_until_two_others_were_asked_since(asked: str, solved: str) -> None:
    needed: list[str] = []
    memory, solver = slot.Memory(size=2), counting(needed)

    found = [memory.recall(question, solver(question)) for question in asked]

    assert [answer.message for answer in found if isinstance(answer, Refused)] == list(asked)
    assert "".join(needed) == solved
