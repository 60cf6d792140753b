"""Picks the tables of one pack out of a published package; the only reader of Parquet and CSV."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

import pyarrow as pa
from pyarrow import csv, parquet

from perf_db import reading
from perf_db.catalog import COLLECTIVES, age
from perf_db.errors import BadSource
from perf_db.naming import Frame
from perf_db.pack import PackName
from perf_db.provenance import Source
from perf_db.sources import Member, Package
from perf_db.table import Table

ENGINES = ("sglang", "trtllm", "vllm")
_TEXT_COLUMNS = {name: pa.string() for name in ("framework", "version", "device", "kernel_source", "op_name")}
_FOUNDATION = "gemm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to import: systems, backends, and versions as "vllm-0.12.0" (none named for a backend: its newest)."""

    systems: Sequence[str]
    backends: Sequence[str] = ENGINES
    versions: Sequence[str] = ()

    def __str__(self) -> str:
        versions = f" in version {', '.join(self.versions)}" if self.versions else ""
        return f"{', '.join(self.backends)} on {', '.join(self.systems)}{versions}"

    def chosen(self, backend: str, measured: Mapping[str, Collection[str]]) -> tuple[str, ...]:
        """The versions of *backend* to take, oldest first; *measured* are the tables of each version on offer.

        A version that nobody named must have measured the engine's foundation, or it is an addition to another one.
        """
        named = {text.partition("-")[2] for text in self.versions if text.partition("-")[0] == backend}
        if named:
            return tuple(sorted(named & measured.keys(), key=age))
        foundation = COLLECTIVES if backend == COLLECTIVES else _FOUNDATION
        whole = [version for version, tables in measured.items() if foundation in tables]
        return (max(whole, key=age),) if whole else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One table of a pack, and the files that its rows are from, the preferred one first."""

    reading: reading.Reading
    sources: tuple[Source, ...]


def choose(package: Package, wanted: Wanted) -> Iterator[PackName]:
    """The packs that *package* can fill and *wanted* asks for."""
    for system in wanted.systems:
        for backend in (*wanted.backends, COLLECTIVES):
            measured: dict[str, set[str]] = {}
            for member in package.members:
                if (member.pack.system, member.pack.backend) == (system, backend):
                    measured.setdefault(member.pack.version, set()).add(member.table)
            for version in wanted.chosen(backend, measured):
                yield PackName(system=system, backend=backend, version=version)


def gather(package: Package, name: PackName, only: Collection[str] | None = None) -> Mapping[str, Found]:
    """Every table of that engine on that system, or those in *only*: this version first, then the others, newest first.

    What another version measured fills a table, or a slice of one, that this version lacks, and its rows say REUSED.
    Raises BadSource.
    """
    members: dict[str, list[Member]] = {}
    for member in package.members:
        if only is not None and member.table not in only:
            continue
        if (member.pack.system, member.pack.backend) == (name.system, name.backend) and _may_fill(member, name):
            members.setdefault(member.table, []).append(member)
    return {title: _read(package, _by_preference(files, name), name) for title, files in sorted(members.items())}


def earlier(package: Package, name: PackName, table: str) -> tuple[str, Table] | None:
    """The version before *name* that measured *table*, and what it measured; None if there is none."""
    older = [
        member
        for member in package.members
        if (member.pack.system, member.pack.backend, member.table) == (name.system, name.backend, table)
        and age(member.pack.version) < age(name.version)
    ]
    if not older:
        return None
    member = max(older, key=lambda member: age(member.pack.version))
    return member.pack.version, _read(package, [member], member.pack).reading.table


def _may_fill(member: Member, name: PackName) -> bool:
    """Collectives belong to one version of their library; an engine's own tables may come from any version of it."""
    if name.backend == COLLECTIVES:
        return member.pack == name
    return member.table != COLLECTIVES


def _by_preference(files: Sequence[Member], name: PackName) -> list[Member]:
    newest_first = sorted(files, key=lambda member: age(member.pack.version), reverse=True)
    return sorted(newest_first, key=lambda member: member.pack != name)


def _read(package: Package, members: Sequence[Member], name: PackName) -> Found:
    raw = [package.read(member.path) for member in members]
    where = f"{package.path}:{members[0].path}"
    try:
        frames = [_frame(member.path, content) for member, content in zip(members, raw, strict=True)]
        files = [
            reading.Rows(frame=frame, own_version=member.pack == name)
            for frame, member in zip(frames, members, strict=True)
        ]
        read = reading.tidy(members[0].table, files, name)
    except (pa.ArrowException, KeyError, ValueError) as problem:
        raise BadSource(where, str(problem)) from problem
    title, version, licence = package.identity
    sources = tuple(
        Source(
            package=title,
            version=version,
            member=member.path,
            sha256=sha256(content).hexdigest(),
            rows=len(next(iter(frame.values()))),
            licence=licence,
        )
        for member, content, frame in zip(members, raw, frames, strict=True)
    )
    return Found(reading=read, sources=sources)


def _frame(path: str, raw: bytes) -> Frame:
    if path.endswith(".parquet"):
        table = parquet.read_table(BytesIO(raw))
    else:
        table = csv.read_csv(BytesIO(raw), convert_options=csv.ConvertOptions(column_types=_TEXT_COLUMNS))
    return {name: table.column(name).to_numpy() for name in table.column_names}
