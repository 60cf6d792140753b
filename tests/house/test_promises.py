"""The page of promises and the tests that hold them name each other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TEST = re.compile(r"^(?:async )?def test_((?:[pck]\d\d_)+)", re.MULTILINE)
ROW = re.compile(r"^\| ([PCK]\d+) \|(.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(\.\./(tests/[^)]+\.py)\)")
PROMISES = [*(f"P{n}" for n in range(1, 11)), *(f"C{n:02}" for n in range(1, 21)), *(f"K{n}" for n in range(1, 25))]


BESIDES = {
    "P1": "tests/cluster/promises/test_witness.py",
    "C02": "tests/reconciling/test_estimating.py",
    "C12": "tests/cluster/test_fuzz.py",
    "K21": "tests/cluster/test_login.py",
}
"""What the page names as well, though no test in it bears the id."""
MODES = ("owner", "plugin", "auto")
TITLE = "## In which mode"

Played = dict[str, dict[str, str]]
"""What the page says of each promise, by mode."""


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, set[str]]:
    """The files that the page names for each id."""
    page = (root / "docs" / "promises.md").read_text()
    before, _, after = page.partition(TITLE)
    return {name: set(LINK.findall(rest)) for name, rest in ROW.findall(before + after.partition("\n## ")[2])}


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


@pytest.fixture(scope="module")
def played(root: Path) -> Played:
    """What the page says about each promise in each mode."""
    section = (root / "docs" / "promises.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
    cells = {name: [cell.strip() for cell in rest.strip(" |").split("|")] for name, rest in ROW.findall(section)}
    return {name: dict(zip(MODES, told, strict=True)) for name, told in cells.items()}


def modes_of(function: ast.FunctionDef) -> set[str]:
    """The modes in which a test is played, as it says above itself."""
    calls = [one for one in function.decorator_list if isinstance(one, ast.Call)]
    named = [one for one in calls if isinstance(one.func, ast.Name) and one.func.id == "in_modes"]
    return {str(mode.value) for call in named for mode in call.args if isinstance(mode, ast.Constant)}


def promise_tests(root: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every test of a promise with the promise's id."""
    for path in (root / "tests" / "cluster" / "promises").glob("test_p*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (found := re.match(r"test_p(\d\d)_", node.name)):
                yield f"P{int(found[1])}", node


def test_every_test_of_a_promise_says_in_which_modes_it_is_played(root: Path) -> None:
    assert [test.name for _, test in promise_tests(root) if not modes_of(test)] == []


@pytest.mark.parametrize("name", [f"P{n}" for n in range(1, 11)])
def test_a_promise_is_played_in_the_modes_that_the_page_says_and_in_no_other(
    name: str, root: Path, played: Played
) -> None:
    found = {mode for promise, test in promise_tests(root) if promise == name for mode in modes_of(test)}

    assert {mode for mode, told in played[name].items() if told.startswith("yes")} == found
    assert all(re.match(r"yes\b|not applicable: \w", told) for told in played[name].values())


def test_the_page_lists_every_promise_fault_and_edge_once(rows: dict[str, set[str]]) -> None:
    assert list(rows) == PROMISES


@pytest.mark.parametrize("name", PROMISES)
def test_every_id_is_tested_where_the_page_says(
    name: str, rows: dict[str, set[str]], tests: dict[str, set[str]]
) -> None:
    assert tests[name], f"no test is named for {name}"
    assert tests[name] <= rows[name], f"docs/promises.md does not name {tests[name] - rows[name]} for {name}"


@pytest.mark.parametrize("name", PROMISES)
def test_the_page_names_no_file_for_an_id_that_it_does_not_test(
    name: str, root: Path, rows: dict[str, set[str]], tests: dict[str, set[str]]
) -> None:
    others = rows[name] - tests[name]

    assert others == {BESIDES[name]} if name in BESIDES else not others
    assert [path for path in others if not (root / path).is_file()] == []


def test_no_test_is_named_for_an_id_that_is_not_on_the_page(
    rows: dict[str, set[str]], tests: dict[str, set[str]]
) -> None:
    assert tests.keys() <= rows.keys()
