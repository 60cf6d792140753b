"""Makes packs out of published packages. For developers: it needs pyarrow, which no other room may import."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from perf_db import reading, repair
from perf_db.catalog import COLLECTIVES, SHIPPED, Catalog, age
from perf_db.codec import WORST_ERROR
from perf_db.errors import BadSource, UnknownSystem
from perf_db.pack import Content, Pack, PackName, to_bytes
from perf_db.provenance import Source
from perf_db.sources import Member, Package
from perf_db.table import Table

ENGINES = ("sglang", "trtllm", "vllm")
ATTRIBUTION = (
    "Kernel times measured and published by NVIDIA Corporation in the PyPI package {0} {1} under {2}; "
    "re-encoded, and in places repaired, by the dgdr-operator authors."
)
_TEXT_COLUMNS = {name: pa.string() for name in ("framework", "version", "device", "kernel_source", "op_name")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to import: systems, backends, and versions as "vllm-0.12.0" (none named for a backend: its newest)."""

    systems: Sequence[str]
    backends: Sequence[str] = ENGINES
    versions: Sequence[str] = ()

    def __str__(self) -> str:
        versions = f" in version {', '.join(self.versions)}" if self.versions else ""
        return f"{', '.join(self.backends)} on {', '.join(self.systems)}{versions}"

    def version(self, backend: str, offered: Iterable[str]) -> str | None:
        """The version of *backend* to take out of those *offered*, None for none of them."""
        offered = sorted(offered, key=age)
        named = {text.partition("-")[2] for text in self.versions if text.partition("-")[0] == backend}
        fitting = [version for version in offered if version in named] if named else offered
        return fitting[-1] if fitting else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One pack made: bytes, rows kept, rows with a repeated key, rows without a time, rows repaired."""

    pack: PackName
    size: int
    rows: int
    repeated: int
    unusable: int
    repaired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One table compared with its source: rows, and the largest relative difference."""

    pack: PackName
    table: str
    rows: int
    worst: float

    @property
    def good(self) -> bool:
        """Whether every row decodes to its source, within what the encoding allows."""
        return self.worst <= 1.01 * WORST_ERROR  # the last per cent is for the arithmetic of the comparison itself


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One table read from a package."""

    reading: reading.Reading
    source: Source


def import_packs(sources: Sequence[Path], wanted: Wanted, out: Path) -> tuple[Imported, ...]:
    """Write one pack per system, backend and version into *out*; equal sources give equal bytes.

    Raises UnknownSystem without facts of one, and BadSource if a source cannot be read or nothing wanted is in it.
    """
    facts = _facts(out)
    for system in set(wanted.systems) - set(facts):
        raise UnknownSystem(system, facts)
    report: list[Imported] = []
    for path in sources:
        package = Package(path)
        packs = {name: _read(package, name) for name in _choose(package, wanted)}
        measured = {name: _tables(found) for name, found in packs.items()}
        repairs = repair.repair(measured, _siblings(package, out), facts)
        report += [_write(package, name, packs[name], repairs[name], out) for name in packs]
    if not report:
        raise BadSource(", ".join(map(str, sources)), f"it has no {wanted}")
    return tuple(report)


def _tables(found: Mapping[str, _Found]) -> Mapping[str, Table]:
    return {title: one.reading.table for title, one in found.items()}


def _siblings(package: Package, out: Path) -> Mapping[PackName, Mapping[str, Table]]:
    """The measured GEMM rows of packs already in *out* that came from the same package."""
    catalog = Catalog(out)
    opened = (catalog.open(name, repaired=False) for name in catalog.packs())
    return {
        pack.name: {"gemm": gemm}
        for pack in opened
        if _came_from(pack, package) and (gemm := pack.table("gemm")) is not None
    }


def _came_from(pack: Pack, package: Package) -> bool:
    name, version, _ = package.identity
    return bool(pack.meta["package"] == {"name": name, "version": version})


def verify(root: Path, sources: Sequence[Path]) -> Iterator[Checked]:
    """Decode every row of every pack under *root* that came from one of *sources*, and compare with it."""
    catalog = Catalog(root)
    for package in map(Package, sources):
        for pack_name in (*catalog.packs(), *catalog.collectives()):
            pack = catalog.open(pack_name, repaired=False)
            if not _came_from(pack, package):
                continue
            found = _read(package, pack_name)
            for title in pack.tables:
                stored = pack.table(title)
                source = found[title].reading.table if title in found else None
                yield Checked(pack=pack_name, table=title, rows=len(stored or ()), worst=_difference(stored, source))


def _difference(stored: Table | None, source: Table | None) -> float:
    if stored is None or source is None or len(stored) != len(source) or list(stored.columns) != list(source.columns):
        return float("inf")
    for column, twin in zip(stored.columns.values(), source.columns.values(), strict=True):
        if column.values != twin.values or (column.codes != twin.codes).any():
            return float("inf")
    positive = source.seconds > 0
    if (stored.seconds[~positive] != 0).any():
        return float("inf")
    return float(np.abs(stored.seconds[positive] / source.seconds[positive] - 1.0).max(initial=0.0))


def _facts(out: Path) -> Mapping[str, Mapping[str, Any]]:
    """The facts of each system, put beside the packs if they are not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "systems.json").exists():
        shutil.copyfile(SHIPPED / "systems.json", out / "systems.json")
    return Catalog(out).systems()


def _choose(package: Package, wanted: Wanted) -> Iterator[PackName]:
    for system in wanted.systems:
        for backend in (*wanted.backends, COLLECTIVES):
            marker = "nccl" if backend == COLLECTIVES else "gemm"
            offered = {
                member.pack.version
                for member in package.members
                if (member.pack.system, member.pack.backend, member.table) == (system, backend, marker)
            }
            version = wanted.version(backend, offered)
            if version is not None:
                yield PackName(system=system, backend=backend, version=version)


def _read(package: Package, name: PackName) -> Mapping[str, _Found]:
    """Every table of that engine: of this version, or of the newest one before it."""
    newest: dict[str, Member] = {}
    for member in package.members:
        same_engine = (member.pack.system, member.pack.backend) == (name.system, name.backend)
        if not same_engine or age(member.pack.version) > age(name.version):
            continue
        held = newest.get(member.table)
        if held is None or age(member.pack.version) > age(held.pack.version):
            newest[member.table] = member
    if name.backend == COLLECTIVES:
        newest = {title: member for title, member in newest.items() if member.pack == name}
    return {title: _read_one(package, member, name) for title, member in sorted(newest.items())}


def _read_one(package: Package, member: Member, name: PackName) -> _Found:
    raw = package.read(member.path)
    try:
        frame = _frame(member.path, raw)
        read = reading.tidy(member.table, frame, name)
    except (pa.ArrowException, KeyError, ValueError) as problem:
        raise BadSource(f"{package.path}:{member.path}", str(problem)) from problem
    title, version, licence = package.identity
    source = Source(
        package=title,
        version=version,
        member=member.path,
        sha256=sha256(raw).hexdigest(),
        rows=len(next(iter(frame.values()))),
        licence=licence,
    )
    return _Found(reading=read, source=source)


def _frame(path: str, raw: bytes) -> reading.Frame:
    if path.endswith(".parquet"):
        table = parquet.read_table(BytesIO(raw))
    else:
        table = csv.read_csv(BytesIO(raw), convert_options=csv.ConvertOptions(column_types=_TEXT_COLUMNS))
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _write(
    package: Package, name: PackName, found: Mapping[str, _Found], repairs: repair.Repairs, out: Path
) -> Imported:
    title, version, licence = package.identity
    meta = {
        "system": name.system,
        "backend": name.backend,
        "version": name.version,
        "package": {"name": title, "version": version},
        "licence": licence,
        "attribution": ATTRIBUTION.format(title, version, licence),
        "devices": sorted({device for one in found.values() for device in one.reading.devices}),
        "sources": [asdict(one.source) for one in found.values()],
        "left_out": {
            table: {"repeated": one.reading.repeated, "unusable": one.reading.unusable}
            for table, one in found.items()
            if one.reading.repeated or one.reading.unusable
        },
        "rules": list(repair.RULES),
        "repairs": list(repairs.log),
    }
    tables = _tables(found)
    raw = to_bytes(Content(meta=meta, tables=tables, patches=repairs.patches))
    target = name.path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(raw)
    return Imported(
        pack=name,
        size=len(raw),
        rows=sum(map(len, tables.values())),
        repeated=sum(one.reading.repeated for one in found.values()),
        unusable=sum(one.reading.unusable for one in found.values()),
        repaired=sum(len(patch.rows) for patch in repairs.patches.values()),
    )
