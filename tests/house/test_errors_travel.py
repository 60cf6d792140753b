"""An error that crosses from one process to another arrives as it left; one that cannot breaks the pool for good."""

import dataclasses
import enum
import importlib
import inspect
import pickle
import pkgutil
import types
import typing
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

PACKAGES = ("perf_db", "estimator", "dgdr_operator")
SAMPLES: dict[Any, Any] = {
    str: "a name",
    int: 3,
    float: 1.5,
    bool: True,
    bytes: b"x",
    object: "anything",
    Any: "anything",
    type(None): None,
    Counter: Counter({"out of memory": 2}),
}


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        yield from (found.name for found in pkgutil.walk_packages(path, f"{package}."))


def _errors() -> list[type[BaseException]]:
    """Every exception class that one of our modules defines."""
    found = []
    for name in _modules():
        if name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        classes = [entry for _, entry in inspect.getmembers(module, inspect.isclass)]
        found += [entry for entry in classes if issubclass(entry, BaseException) and entry.__module__ == name]
    return found


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__qualname__)
def test_an_error_arrives_as_it_left(error: type[BaseException]) -> None:
    left = _sample_of(error)

    arrived = pickle.loads(pickle.dumps(left))

    assert type(arrived) is error
    assert str(arrived) == str(left)
    assert vars(arrived).keys() == vars(left).keys()
    assert repr(vars(arrived)) == repr(vars(left))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_errors_to_look_at(package: str) -> None:
    assert [error for error in _errors() if error.__module__.startswith(package)]


def _sample_of(kind: Any) -> Any:  # noqa: ANN401 -- an annotation may be anything, and so may its sample
    """Some value of the annotated *kind*; a class is made from samples of its own arguments."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in SAMPLES or origin in SAMPLES:
        return SAMPLES[kind if kind in SAMPLES else origin]
    if origin in (typing.Union, types.UnionType, typing.Literal):
        return arguments[0] if origin is typing.Literal else _sample_of(arguments[0])
    if isinstance(origin or kind, type):
        return _sample_of_class(origin or kind, arguments)
    pytest.fail(f"this test cannot make a sample of {kind!r}: teach it")


def _sample_of_class(kind: type[Any], arguments: tuple[Any, ...]) -> object:
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    if issubclass(kind, tuple) and arguments:
        return tuple(_sample_of(argument) for argument in arguments if argument is not Ellipsis)
    if kind.__module__ in {"builtins", "collections.abc"}:
        return {} if kind.__name__ in {"dict", "Mapping", "MutableMapping"} else (_sample_of(arguments[0]),)
    return kind(**_arguments(kind)) if dataclasses.is_dataclass(kind) else kind(*_arguments(kind).values())


def _arguments(kind: type[Any]) -> dict[str, Any]:
    if kind.__init__ is Exception.__init__:
        return {"message": "a sentence"}
    hints = typing.get_type_hints(kind if dataclasses.is_dataclass(kind) else kind.__init__)
    parameters = list(inspect.signature(kind).parameters.values())
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {p.name: _sample_of(hints[p.name]) for p in named} or {"message": "a sentence"}
