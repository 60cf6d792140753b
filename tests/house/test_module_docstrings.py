"""A module has one reason to exist, and its first line says it."""

import ast

from tests.house.ground import House


def test_every_module_says_why_it_exists(house: House) -> None:
    silent = [name for name, tree in house.trees() if not ast.get_docstring(tree)]

    assert not silent, f"no docstring at the top of {', '.join(silent)}"


def test_the_first_line_of_a_module_stands_alone(house: House) -> None:
    run_on = [
        name
        for name, tree in house.trees()
        if len(lines := (ast.get_docstring(tree) or "").splitlines()) > 1 and lines[1].strip()
    ]

    assert not run_on, f"an empty line belongs after the first sentence of {', '.join(run_on)}"
