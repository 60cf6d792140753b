"""What would be different: two forms of one object in, lines for people out. Pure.

Lists that the API server merges by a key are matched by that key, as `covers` does it; fields of others are left out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dgdr_operator.controller.covers import MERGED_BY
from dgdr_operator.request import OWN

SHOWN = 4
"""Kinds of change that a sentence names; the rest is counted."""
WIDTH = 200
"""Characters of a value that a line shows."""
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One leaf that differs; before or after is None where there is none."""

    path: tuple[str, ...]
    before: object
    after: object

    def __str__(self) -> str:
        place = ".".join(self.path)
        if self.before is None:
            return f"+ {place}: {_shown(self.after)}"
        if self.after is None:
            return f"- {place}: {_shown(self.before)}"
        return f"~ {place}: {_shown(self.before)} -> {_shown(self.after)}"


def changes(live: Mapping[str, Any], after: Mapping[str, Any], *, whole: bool = False) -> list[Change]:
    """Where *live* would change into *after*; *whole*: also what *after* no longer has, as after a dry run.

    The spec, the name, and the labels and annotations that are not bookkeeping of ours.
    """
    return list(_of(_told(live), _told(after), (), whole=whole))


def sentence(found: Sequence[Change]) -> str:
    """*found* in a few words: replicas with their numbers, all else counted by the field it is in."""
    if not found:
        return "nothing that is seen in the pods"
    counts: Counter[str] = Counter()
    said: list[str] = []
    for change in found:
        if change.path[-1] == "replicas" and change.before is not None and change.after is not None:
            said.append(f"{_part(change.path)}replicas {change.before} -> {change.after}")
        else:
            counts[_field(change.path)] += 1
    said += [name if count == 1 else f"{count} in {name}" for name, count in counts.most_common()]
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return ", ".join(said[:SHOWN]) + more


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    metadata = body.get("metadata") or {}
    kept = {"name": metadata.get("name")}
    for part in ("labels", "annotations"):
        kept[part] = {key: value for key, value in (metadata.get(part) or {}).items() if not key.startswith(OWN)}
    return {"metadata": kept, "spec": body.get("spec") or {}}


def _of(live: object, after: object, path: tuple[str, ...], *, whole: bool) -> Iterator[Change]:
    if isinstance(live, Mapping) and isinstance(after, Mapping):
        yield from _of_named(live, after, path, whole=whole)
    elif isinstance(live, list) and isinstance(after, list | tuple):
        yield from _of_listed(live, after, path, whole=whole)
    elif live is _ABSENT:
        yield Change(path, None, after)
    elif after is _ABSENT:
        if whole:
            yield Change(path, live, None)
    elif live != after:
        yield Change(path, live, after)


def _of_named(
    live: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...], *, whole: bool
) -> Iterator[Change]:
    for name in (*after, *(name for name in live if name not in after)):
        yield from _of(live.get(name, _ABSENT), after.get(name, _ABSENT), (*path, str(name)), whole=whole)


def _of_listed(live: Sequence[Any], after: Sequence[Any], path: tuple[str, ...], *, whole: bool) -> Iterator[Change]:
    keys = MERGED_BY.get(path[-1]) if path else None
    if keys and all(isinstance(item, Mapping) for item in (*live, *after)):
        before, wanted = _by(live, keys[0]), _by(after, keys[0])
        for name in (*wanted, *(name for name in before if name not in wanted)):
            here = (*path[:-1], f"{path[-1]}[{name}]")
            yield from _of(before.get(name, _ABSENT), wanted.get(name, _ABSENT), here, whole=whole)
        return
    for index in range(max(len(live), len(after))):
        here = (*path[:-1], f"{path[-1]}[{index}]")
        one = live[index] if index < len(live) else None
        other = after[index] if index < len(after) else None
        if one != other:
            yield Change(here, one, other)


def _by(items: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    return {str(item.get(key)): item for item in items}


def _field(path: Sequence[str]) -> str:
    """The field that a person would name: args for args[3], the component where the whole of it changes."""
    last = path[-1]
    return last if re.fullmatch(r"(components|services)\[.*\]", last) else last.partition("[")[0]


def _part(path: Sequence[str]) -> str:
    """ "worker." for a path inside the component worker."""
    for index, step in enumerate(path):
        match = re.fullmatch(r"components\[(.*)\]", step)
        if match:
            return f"{match[1]}."
        if step == "services" and index + 1 < len(path):
            return f"{path[index + 1]}."
    return ""


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
