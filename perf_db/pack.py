"""One pack on disk: a zip whose members are a meta record, and per table its keys, its times and its repairs.

`meta.json` says what the importer knew; `<table>.json` holds the key columns with their values, the row count and the
classes as runs; `<table>.bin` the key codes column by column, then the times; `<table>.repairs` the rows that a repair
rule replaced: row numbers, rule numbers and new times. What was measured therefore always stays readable.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo
from zlib import error as InflateError  # noqa: N812 - the library names its exception like a function

import numpy as np
from numpy.typing import NDArray

from perf_db import codec
from perf_db.errors import BrokenPack
from perf_db.provenance import Provenance
from perf_db.table import Column, FloatArray, Table

FORMAT = 1
_THE_SAME_DAY = (1980, 1, 1, 0, 0, 0)  # equal content must give equal bytes
_KEY_BYTES, _TIME_BYTES, _ROW_BYTES, _RULE_BYTES = 2, 2, 4, 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PackName:
    """A pack: GPU system, backend (vllm, sglang, trtllm; `nccl` for the collectives of a system) and version."""

    system: str
    backend: str
    version: str

    def path(self, root: Path) -> Path:
        """Where this pack lies under *root*."""
        return root / self.system / f"{self.backend}-{self.version}.zip"

    def __str__(self) -> str:
        return f"{self.system}/{self.backend}-{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Repaired rows of one table: row numbers, the new times, and which of the pack's rules replaced each."""

    rows: NDArray[np.int32]
    seconds: FloatArray
    rules: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What goes into one pack."""

    meta: Mapping[str, Any]
    tables: Mapping[str, Table]
    patches: Mapping[str, Patch] = field(default_factory=dict)


def to_bytes(content: Content) -> bytes:
    """The pack as bytes; equal content gives equal bytes."""
    members = {"meta.json": _json(dict(content.meta) | {"format": FORMAT, "tables": _summary(content.tables)})}
    for name, table in sorted(content.tables.items()):
        members[f"{name}.json"] = _json(_header(table))
        members[f"{name}.bin"] = _body(table)
        if name in content.patches:
            members[f"{name}.repairs"] = _patch_body(content.patches[name])
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for member, raw in members.items():
            entry = ZipInfo(member, date_time=_THE_SAME_DAY)
            entry.compress_type, entry.create_system = ZIP_DEFLATED, 3
            archive.writestr(entry, raw, compresslevel=9)
    return buffer.getvalue()


class Pack:
    """One open pack: its tables, inflated on first use, and its meta record."""

    def __init__(self, name: PackName, path: Path, *, repaired: bool = True) -> None:
        self.name = name
        self.repaired = repaired
        self._path = path
        try:
            raw = path.read_bytes()
            self._archive = ZipFile(BytesIO(raw))
        except (OSError, BadZipFile) as problem:
            raise BrokenPack(str(path), str(problem)) from problem
        self.sha256, self.size = sha256(raw).hexdigest(), len(raw)
        self._members = frozenset(self._archive.namelist())
        self._opened: dict[str, Table] = {}
        self.meta: Mapping[str, Any] = self._record("meta.json")
        if self.meta.get("format") != FORMAT:
            raise BrokenPack(str(path), f"it has format {self.meta.get('format')}, this release reads {FORMAT}")

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables, sorted."""
        return tuple(sorted(self.meta["tables"]))

    def table(self, name: str) -> Table | None:
        """The table of that name, or None if this pack has none. Raises BrokenPack."""
        if name not in self._opened and f"{name}.json" in self._members:
            self._opened[name] = self._inflate(name)
        return self._opened.get(name)

    def patch(self, name: str) -> Patch | None:
        """The repairs of the table of that name, or None if it needed none. Raises BrokenPack."""
        member = f"{name}.repairs"
        return _patch(self._read(member)) if member in self._members else None

    def _inflate(self, name: str) -> Table:
        try:
            measured = _table(name, self._record(f"{name}.json"), self._read(f"{name}.bin"))
        except (ValueError, KeyError) as problem:
            raise BrokenPack(str(self._path), f"table {name}: {problem}") from problem
        patch = self.patch(name) if self.repaired else None
        return measured if patch is None else _patched(measured, patch)

    def _record(self, member: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._read(member))
        except ValueError as problem:
            raise BrokenPack(str(self._path), f"member {member}: {problem}") from problem
        return record

    def _read(self, member: str) -> bytes:
        try:
            return self._archive.read(member)
        except (KeyError, BadZipFile, InflateError) as problem:
            raise BrokenPack(str(self._path), f"member {member}: {problem}") from problem


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()


def _summary(tables: Mapping[str, Table]) -> dict[str, Any]:
    return {
        name: {
            "rows": len(table),
            "classes": {
                Provenance(kind).word: int(n)
                for kind, n in zip(*np.unique(table.provenance, return_counts=True), strict=True)
            },
        }
        for name, table in tables.items()
    }


def _header(table: Table) -> dict[str, Any]:
    return {
        "rows": len(table),
        "keys": [[name, list(column.values)] for name, column in table.columns.items()],
        "value": {"name": "seconds", "unit": "s", "code": "log2, 1500 steps per octave, offset 30 octaves"},
        "classes": codec.runs(table.provenance),
    }


def _body(table: Table) -> bytes:
    keys = b"".join(codec.pack_keys(column.codes) for column in table.columns.values())
    return keys + codec.pack_times(table.seconds)


def _table(name: str, header: Mapping[str, Any], body: bytes) -> Table:
    rows = header["rows"]
    width = rows * _KEY_BYTES
    columns = {
        key: Column(values=tuple(values), codes=codec.unpack_keys(body[place * width : (place + 1) * width]))
        for place, (key, values) in enumerate(header["keys"])
    }
    seconds = codec.unpack_times(body[len(columns) * width :])
    if len(seconds) != rows:
        raise ValueError(f"{rows} rows announced, {len(seconds)} found")
    return Table(name=name, columns=columns, seconds=seconds, provenance=codec.unroll(header["classes"]))


def _patch_body(patch: Patch) -> bytes:
    rows = np.diff(patch.rows.astype("<i4"), prepend=np.zeros(1, dtype="<i4"))
    return rows.tobytes() + patch.rules.astype(np.uint8).tobytes() + codec.pack_times(patch.seconds)


def _patch(body: bytes) -> Patch:
    rows = len(body) // (_ROW_BYTES + _RULE_BYTES + _TIME_BYTES)
    rules, times = rows * _ROW_BYTES, rows * (_ROW_BYTES + _RULE_BYTES)
    return Patch(
        rows=np.cumsum(np.frombuffer(body[:rules], dtype="<i4"), dtype=np.int32),
        rules=np.frombuffer(body[rules:times], dtype=np.uint8),
        seconds=codec.unpack_times(body[times:]),
    )


def _patched(table: Table, patch: Patch) -> Table:
    seconds, provenance = table.seconds.copy(), table.provenance.copy()
    seconds[patch.rows] = patch.seconds
    provenance[patch.rows] = np.maximum(provenance[patch.rows], np.uint8(Provenance.REPAIRED))
    return Table(name=table.name, columns=table.columns, seconds=seconds, provenance=provenance)
