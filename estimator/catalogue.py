"""Models by name: published checkpoints whose shapes we ship, or any local directory that holds a config.json.

The one room of the estimator that opens files; everything below it works on values.
"""

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from estimator import quantization, readers
from estimator.errors import InvalidModelConfig, UnsupportedModel
from estimator.model import Model

_SHIPPED = Path(__file__).parent / "models"
_BARE_NUMBER = re.compile(r"(?<=[:\[,])\s*-?(?:Infinity|NaN)\b")
"""Values that some exporters write although JSON has no such numbers."""


def names() -> tuple[str, ...]:
    """The checkpoints that load without a directory, sorted."""
    return tuple(sorted(_shipped()))


def is_gated(name: str) -> bool:
    """Whether the publisher asks for an accepted licence, so that a download needs a token."""
    return name.partition("/")[0] in _gated_owners()


def load(name: str) -> Model:
    """The model called *name*, or the one in the directory *name*.

    Raises UnsupportedModel naming the nearest known checkpoints, or InvalidModelConfig for a broken directory.
    """
    entry = _shipped().get(name) or _shipped().get(_spelling(name))
    if entry is not None:
        return readers.read(name, entry["config"], entry["quantization"])
    if _is_directory(name):
        return _local(name)
    near = get_close_matches(name, names(), n=3, cutoff=0.5)
    raise UnsupportedModel(
        name, "no shapes are known for it; name a known checkpoint or a directory with its config.json", tuple(near)
    )


def stored_as(model: Model, dtype: str) -> Model | None:
    """A published checkpoint of the same shapes whose main weights are stored as *dtype*, or None.

    Main weights are the experts' where there are any. Of several checkpoints the one with the most similar name.
    """
    alike = [name for name in names() if _main_type(known := load(name)) == dtype and _same_shapes(known, model)]
    near = get_close_matches(model.name, alike, n=1, cutoff=0.0)
    return load(near[0]) if near else None


def _main_type(model: Model) -> str:
    declared = quantization.checkpoint(model)
    return declared.gemm if model.experts is None else declared.experts


def _same_shapes(one: Model, other: Model) -> bool:
    return (one.hidden, one.vocab, one.blocks) == (other.hidden, other.vocab, other.blocks)


def _is_directory(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # a name that no file system accepts is no directory
        return False


def _local(name: str) -> Model:
    directory = Path(name)
    if not (directory / "config.json").is_file():
        raise InvalidModelConfig(name, "config.json", "is missing in this directory")
    extra = directory / "hf_quant_config.json"
    return readers.read(name, _parse(directory / "config.json"), _parse(extra) if extra.is_file() else None)


def _spelling(name: str) -> str:
    """The shipped spelling of *name* when only letter case differs, else *name*."""
    folded = name.casefold()
    return next((known for known in _shipped() if known.casefold() == folded), name)


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        parsed = json.loads(_BARE_NUMBER.sub("null", path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidModelConfig(str(path.parent), path.name, f"cannot be read: {error}") from None
    if not isinstance(parsed, dict):
        raise InvalidModelConfig(str(path.parent), path.name, "must hold a JSON object")
    return parsed


@cache
def _books() -> tuple[Mapping[str, Any], ...]:
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in sorted(_SHIPPED.glob("*.json")))


@cache
def _gated_owners() -> frozenset[str]:
    return frozenset(owner for book in _books() for owner in book["gated_owners"])


@cache
def _shipped() -> Mapping[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for book in _books():
        for name, entry in book["models"].items():
            block = book["quantizations"].get(entry.get("quantization", ""))
            found[name] = {
                "config": book["configs"][entry["config"]],
                "quantization": block and {"quantization": block},
            }
    return found
