"""The page of promises and the tests that hold them name each other."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TEST = re.compile(r"^(?:async )?def test_((?:[pck]\d\d_)+)", re.MULTILINE)
ROW = re.compile(r"^\| ([PCK]\d+) \|(.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./(tests/[^)]+\.py)\)")
PROMISES = [*(f"P{n}" for n in range(1, 11)), *(f"C{n:02}" for n in range(1, 21)), *(f"K{n}" for n in range(1, 25))]


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, set[str]]:
    """The files that the page names for each id."""
    page = (root / "docs" / "promises.md").read_text()
    return {name: set(LINK.findall(rest)) for name, rest in ROW.findall(page)}


@pytest.fixture(scope="module")
def tests(root: Path) -> dict[str, set[str]]:
    """The files that hold tests of each id."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (root / "tests" / "cluster").rglob("test_*.py"):
        for ids in TEST.findall(path.read_text()):
            for one in ids.strip("_").split("_"):
                letter, number = one[0].upper(), int(one[1:])
                found[f"C{number:02}" if letter == "C" else f"{letter}{number}"].add(str(path.relative_to(root)))
    return found


def test_the_page_lists_every_promise_fault_and_edge_once(rows: dict[str, set[str]]) -> None:
    assert list(rows) == PROMISES


@pytest.mark.parametrize("name", PROMISES)
def test_every_id_is_tested_where_the_page_says(
    name: str, rows: dict[str, set[str]], tests: dict[str, set[str]]
) -> None:
    assert tests[name], f"no test is named for {name}"
    assert tests[name] <= rows[name], f"docs/promises.md does not name {tests[name] - rows[name]} for {name}"


def test_no_test_is_named_for_an_id_that_is_not_on_the_page(
    rows: dict[str, set[str]], tests: dict[str, set[str]]
) -> None:
    assert tests.keys() <= rows.keys()
