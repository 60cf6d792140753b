"""Small enough to hold in the head: one file, one function, one value at a time."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.ground import PACKAGES, House

FILE_WANTED, FILE_LIMIT = 300, 400
FUNCTION_LINES = 40
FIELDS = 10

# What is bigger than we want, or changes in place, and why clarity won.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}
WIDE_VALUES = {
    "estimator/aggregated.py:Columns": "the columns of one table, written once side by side",
    "estimator/backends/engine.py:Engine": "the facts of one engine, one line each, in one file per engine",
    "estimator/problem.py:Problem": "the whole question of a search, as the request asks it",
    "estimator/deployments.py:Rows": "the columns of all deployments of one shape, a value each",
    "operator/dgdr_operator/manifest/parts.py:Serving": "what all command lines of a plan share, a fact each",
    "operator/dgdr_operator/report/asked.py:Asked": "one question as the user put it, a flag each",
    "operator/dgdr_operator/settings.py:Settings": "everything an operator may decide, one line each",
    "operator/dgdr_operator/inventory/groups.py:NodeGroup": "what nodes say of themselves, one fact each",
    "perf_db/accuracy.py:Accuracy": "one stored file, read and written as a whole",
    "operator/dgdr_operator/cli/measurements.py:Run": "the columns of a file of measurements",
}
STATEFUL = {
    "operator/dgdr_operator/controller/cache.py:Cache": "a cache is what it has seen so far",
    "operator/dgdr_operator/controller/cache.py:Shelf": "one shelf of the cache, in place",
    "operator/dgdr_operator/controller/hearing.py:Hearing": "what was found and is not heard yet",
    "operator/dgdr_operator/controller/lease.py:Lease": "a candidacy changes hands, in place",
    "operator/dgdr_operator/controller/lease.py:Watchfulness": "what a candidate has seen so far",
    "operator/dgdr_operator/controller/pace.py:Bucket": "a bucket is what was taken from it",
    "operator/dgdr_operator/controller/workqueue.py:Ledger": "the queue's own books, in place",
}


def test_no_file_is_longer_than_can_be_read_in_one_go(house: House) -> None:
    lengths = {house.name(path): len(path.read_text().splitlines()) for path in house.python()}

    beyond = {name: lines for name, lines in lengths.items() if lines > FILE_LIMIT}
    long = {name: lines for name, lines in lengths.items() if lines > FILE_WANTED}

    assert not beyond, f"more than {FILE_LIMIT} lines: {beyond}"
    _agree(long, LONG_FILES, f"more than {FILE_WANTED} lines")


def test_no_function_is_longer_than_a_screen(house: House) -> None:
    lengths = {
        f"{file}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for file, tree in house.trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    long = {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}

    _agree(long, LONG_FUNCTIONS, f"more than {FUNCTION_LINES} lines")


def test_no_value_has_more_fields_than_can_be_named_from_memory(house: House) -> None:
    widths = {f"{file}:{node.name}": _fields(node) for file, node in _dataclasses(house)}

    wide = {name: fields for name, fields in widths.items() if fields > FIELDS}

    _agree(wide, WIDE_VALUES, f"more than {FIELDS} fields")


def test_every_value_is_frozen(house: House) -> None:
    open_ended = {f"{file}:{node.name}" for file, node in _dataclasses(house) if not _frozen(node)}

    unexpected = sorted(open_ended - STATEFUL.keys())

    assert not unexpected, f"change a value with dataclasses.replace, not in place: {', '.join(unexpected)}"


@pytest.mark.parametrize("exceptions", [LONG_FILES, LONG_FUNCTIONS, WIDE_VALUES, STATEFUL])
def test_every_exception_carries_its_reason(exceptions: dict[str, str]) -> None:
    assert all(len(reason.split()) > 2 for reason in exceptions.values()), exceptions


def _agree(found: dict[str, int], excepted: dict[str, str], what: str) -> None:
    unexpected = {name: size for name, size in found.items() if name not in excepted}
    assert not unexpected, f"{what}, and no reason given: {unexpected}"


def _dataclasses(house: House) -> Iterator[tuple[str, ast.ClassDef]]:
    for file, tree in house.trees(PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                yield file, node


def _fields(node: ast.ClassDef) -> int:
    return sum(isinstance(entry, ast.AnnAssign) and "ClassVar" not in ast.unparse(entry) for entry in node.body)


def _frozen(node: ast.ClassDef) -> bool:
    return any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)
