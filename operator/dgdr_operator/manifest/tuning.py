"""Engine arguments that a user changes by name in a finished plan: which there are, and how they are put in."""

import copy
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import yaml

from dgdr_operator.errors import InvalidSpec, nearest
from dgdr_operator.manifest import arguments, beta, views
from dgdr_operator.manifest.arguments import Argument, Kind
from dgdr_operator.manifest.views import View

ROLES = {"agg": "worker", "aggregated": "worker", "worker": "worker", "prefill": "prefill", "decode": "decode"}
"""How a path may call a role -> the kind of the component."""

_DECIDED = frozenset({
    "tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size", "expert-parallel-size",
    "moe-expert-parallel-size", "moe-tensor-parallel-size", "model", "model-path", "served-model-name",
    "disaggregation-mode", "kv-transfer-config", "extra-engine-args",
})  # fmt: skip
"""Arguments that a plan stands on: changed alone, pods would not start, or not be the plan."""

_KINDS: Mapping[type, Kind] = {bool: "switch", int: "whole", float: "number", list: "list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One wish: *value* for the argument *name* of the workers of *kind* ("" for all); path: as the user wrote it."""

    path: str
    kind: str
    name: str
    value: str


def parse(text: str) -> Change:
    """The wish that `[workers.][role.]argument=value` speaks. Raises InvalidSpec for anything else."""
    path, sign, value = text.partition("=")
    words = [word for word in path.strip().replace("-", "_").split(".") if word]
    if words and words[0].lower() == "workers":
        words = words[1:]
    kind = ROLES.get(words[0].lower(), "") if len(words) > 1 else ""
    name = ".".join(words[1:] if kind else words)
    if not sign or not name:
        raise InvalidSpec.at(f"--set {text}", "must read path=value, such as workers.decode.max_num_seqs=2048")
    return Change(path=path.strip(), kind=kind, name=name, value=value.strip())


def concerning(graph: Mapping[str, Any], changes: Iterable[Change]) -> tuple[Change, ...]:
    """Those of *changes* that speak of a role which *graph* has."""
    kinds = {"", *(part.kind for part in views.of(graph))}
    return tuple(change for change in changes if change.kind in kinds)


def tuned(
    objects: Sequence[Mapping[str, Any]], changes: Iterable[Change]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """*objects* (the graph last) with *changes*, and a sentence for each change.

    Raises InvalidSpec for an argument that the engine does not have, a value of the wrong type, a role that the plan
    lacks, or an argument that the plan stands on.
    """
    written = copy.deepcopy([dict(one) for one in objects])
    notes = tuple(note for change in changes for note in _changed(written, change))
    _renamed(written)
    return tuple(written), notes


def _changed(written: list[dict[str, Any]], change: Change) -> Iterator[str]:
    graph = written[-1]
    parts = [part for part in views.of(graph) if part.is_worker and change.kind in {"", part.kind}]
    if not parts:
        there = " and ".join(part.kind for part in views.of(graph) if part.is_worker)
        raise InvalidSpec.at(f"--set {change.path}", f"names a role that the plan does not have: it has {there}")
    if change.name.replace("_", "-").rpartition(".")[2] in _DECIDED:
        raise InvalidSpec.at(f"--set {change.path}", "is what the plan was chosen for: plan again instead")
    for part in parts:
        put = _in_file if graph["spec"]["backendFramework"] == "trtllm" else _in_arguments
        before, after = put(written, part, change)
        yield f"{part.name}: {change.name} is {after} instead of {before}, as --set says; the estimate is without it"


def _argument(backend: str, change: Change, present: Mapping[str, Kind]) -> Argument:
    """The argument that *change* means: a known one, or any other that the manifest carries."""
    known = arguments.find(backend, change.name)
    if known is not None:
        return known
    for name, kind in present.items():
        if arguments.plain(name) == arguments.plain(change.name):
            return Argument(name=name, kind=kind, default="")
    names = [one.name for one in arguments.ARGUMENTS[backend]]
    hint = nearest(change.name, names) or f"; there are {', '.join(names)}"
    raise InvalidSpec.at(f"--set {change.path}", f"is no argument of {backend} that we write{hint}")


def _value(argument: Argument, change: Change) -> Any:  # noqa: ANN401 -- what the argument's kind says
    try:
        return arguments.read(argument, change.value)
    except ValueError as problem:
        raise InvalidSpec.at(f"--set {change.path}", str(problem)) from None


def _in_arguments(written: list[dict[str, Any]], part: View, change: Change) -> tuple[str, str]:
    """Put *change* on the command line of *part*; what was there and what is there now."""
    container, args = _container(written[-1], part.name), list(part.args)
    argument = _argument(written[-1]["spec"]["backendFramework"], change, _flags(args))
    value = _value(argument, change)
    flag = next((f"--{name}" for name in (argument.name, *argument.also) if f"--{name}" in args), f"--{argument.name}")
    if argument.kind == "switch":
        before = str(flag in args).lower()
        args = [word for word in args if word not in {flag, f"--{argument.off}"}]
        args += [flag] if value else [f"--{argument.off}"] if argument.off else []
        after = str(value).lower()
    else:
        before, after = part.value(flag) or "the engine's default", _text(value)
        at = args.index(flag) if flag in args else len(args)
        args[at : at + 2] = [flag, after]
    container["args"] = args
    return before, after


def _container(graph: dict[str, Any], name: str) -> dict[str, Any]:
    """The main container of the component *name*, to be written to."""
    spec = graph["spec"]
    if "services" in spec:
        found: dict[str, Any] = spec["services"][name]["extraPodSpec"]["mainContainer"]
        return found
    component = next(one for one in spec["components"] if one["name"] == name)
    return next(one for one in component["podTemplate"]["spec"]["containers"] if one["name"] == beta.MAIN)


def _flags(args: Sequence[str]) -> dict[str, Kind]:
    """The flags of a command line; what no value follows is a switch."""
    pairs = pairwise([*args, "--"])
    return {
        word.removeprefix("--"): "switch" if following.startswith("--") else "word"
        for word, following in pairs
        if word.startswith("--")
    }


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _in_file(written: list[dict[str, Any]], part: View, change: Change) -> tuple[str, str]:
    """Put *change* into the engine file of *part*."""
    name = next(word for word in part.args if word.endswith(".yaml")).rpartition("/")[2]
    held = next(one for one in written if one["kind"] == "ConfigMap" and name in one["data"])
    content = yaml.safe_load(held["data"][name])
    argument = _argument("trtllm", change, _paths(content))
    value = _value(argument, change)
    *folders, leaf = argument.name.split(".")
    place = content
    for folder in folders:
        place = place.setdefault(folder, {})
    before = place.get(leaf, "the engine's default")
    place[leaf] = value
    held["data"][name] = yaml.safe_dump(content, sort_keys=False)
    return str(before), str(value)


def _paths(content: Mapping[str, Any], prefix: str = "") -> dict[str, Kind]:
    """Every value of an engine file by its path, and of what kind it is."""
    found: dict[str, Kind] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            found |= _paths(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = _KINDS.get(type(value), "word")
    return found


def _renamed(written: list[dict[str, Any]]) -> None:
    """Give engine files whose content changed the name of their new content, so that pods roll."""
    for held in (one for one in written if one["kind"] == "ConfigMap"):
        old = held["metadata"]["name"]
        stem, _, digest = old.rpartition("-")
        new = hashlib.sha256(json.dumps(held["data"], sort_keys=True).encode()).hexdigest()[: len(digest)]
        held["metadata"]["name"] = f"{stem}-{new}"
        written[-1] = _replaced(written[-1], old, held["metadata"]["name"])


def _replaced(tree: Any, old: str, new: str) -> Any:  # noqa: ANN401 -- any part of an object
    """*tree* with every text equal to *old* replaced."""
    if isinstance(tree, dict):
        return {key: _replaced(value, old, new) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(value, old, new) for value in tree]
    return new if tree == old else tree
