"""Makes packs out of published packages. For developers: it needs pyarrow, which no other room may import."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from perf_db import gathering, repair, sisters, suspects
from perf_db.catalog import SHIPPED, Catalog, age
from perf_db.codec import WORST_ERROR
from perf_db.errors import BadSource, UnknownSystem
from perf_db.gathering import ENGINES, Found, Wanted
from perf_db.pack import Content, Pack, PackName, to_bytes
from perf_db.sources import Package
from perf_db.table import Table

__all__ = ["ENGINES", "Checked", "Imported", "Wanted", "import_packs", "verify"]

ATTRIBUTION = (
    "Kernel times measured and published by NVIDIA Corporation in the PyPI package {0} {1} under {2}; "
    "re-encoded, and in places repaired, by the dgdr-operator authors."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One pack made: bytes, rows kept, rows left out as repeated, superseded or without a time, rows repaired."""

    pack: PackName
    size: int
    rows: int
    repeated: int
    superseded: int
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
class _Judged:
    """What the rules say about one pack: its repairs, and the version jumps that look wrong."""

    repairs: repair.Repairs
    suspects: tuple[Mapping[str, Any], ...]


def import_packs(sources: Sequence[Path], wanted: Wanted, out: Path) -> tuple[Imported, ...]:
    """Write one pack per system, backend and version into *out*; equal sources give equal bytes.

    Raises UnknownSystem without facts of one, and BadSource if a source cannot be read or nothing wanted is in it.
    """
    facts = _facts(out)
    for system in set(wanted.systems) - set(facts):
        raise UnknownSystem(system, facts)
    report: list[Imported] = []
    for package in map(Package, sources):
        for system in wanted.systems:
            report += _import_system(package, replace(wanted, systems=[system]), out)
    if not report:
        raise BadSource(", ".join(map(str, sources)), f"it has no {wanted}")
    return tuple(report)


def _import_system(package: Package, wanted: Wanted, out: Path) -> Iterator[Imported]:
    """The engines of one system together: they are each other's witnesses."""
    packs = {name: gathering.gather(package, name) for name in gathering.choose(package, wanted)}
    measured = {name: _tables(found) for name, found in packs.items()}
    catalog = Catalog(out)
    facts = catalog.systems()
    family = partial(_family, package, facts)
    repairs = repair.repair(measured, _siblings(package, catalog), facts, family)
    for name, found in packs.items():
        judged = _Judged(repairs=repairs[name], suspects=tuple(_suspects(package, name, measured[name], catalog)))
        yield _write(package, name, found, judged, out)


def _tables(found: Mapping[str, Found]) -> Mapping[str, Table]:
    return {title: one.reading.table for title, one in found.items()}


def _siblings(package: Package, catalog: Catalog) -> Mapping[PackName, Table]:
    """The measured GEMM rows of packs that are already there and came from the same package."""
    opened = (catalog.open(name, repaired=False) for name in catalog.packs())
    return {
        pack.name: gemm for pack in opened if _came_from(pack, package) and (gemm := pack.table("gemm")) is not None
    }


def _family(package: Package, facts: Mapping[str, Mapping[str, Any]], name: PackName) -> sisters.Sisters:
    """What the same version of the engine measured on lesser GPUs of the family, out of the same package."""
    found = {}
    for system in sisters.lesser(name.system, facts):
        twin = replace(name, system=system)
        if any(member.pack == twin for member in package.members):
            found[twin] = _tables(gathering.gather(package, twin, only=sisters.TABLES))
    return found


def _suspects(
    package: Package, name: PackName, tables: Mapping[str, Table], catalog: Catalog
) -> Iterator[Mapping[str, Any]]:
    """Version jumps against the versions before, out of the same package and of the packs that are already there."""
    for title in sorted(suspects.TABLES.keys() & tables.keys()):
        found = [gathering.earlier(package, name, title), _earlier_pack(catalog, name, title)]
        before = sorted((one for one in found if one is not None), key=lambda one: age(one[0]), reverse=True)
        told = set()
        for version, older in before:
            for jump in suspects.jumps(tables[title], older):
                if jump["dtype"] not in told:
                    told.add(jump["dtype"])
                    yield dict(jump) | {"than": version}


def _earlier_pack(catalog: Catalog, name: PackName, table: str) -> tuple[str, Table] | None:
    older = [
        other
        for other in catalog.packs()
        if (other.system, other.backend) == (name.system, name.backend) and age(other.version) < age(name.version)
    ]
    for other in reversed(older):
        found = catalog.open(other, repaired=False).table(table)
        if found is not None:
            return other.version, found
    return None


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
            found = gathering.gather(package, pack_name)
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


def _write(package: Package, name: PackName, found: Mapping[str, Found], judged: _Judged, out: Path) -> Imported:
    tables = _tables(found)
    raw = to_bytes(Content(meta=_meta(package, name, found, judged), tables=tables, patches=judged.repairs.patches))
    target = name.path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(raw)
    return Imported(
        pack=name,
        size=len(raw),
        rows=sum(map(len, tables.values())),
        repeated=sum(one.reading.repeated for one in found.values()),
        superseded=sum(one.reading.superseded for one in found.values()),
        unusable=sum(one.reading.unusable for one in found.values()),
        repaired=sum(len(patch.rows) for patch in judged.repairs.patches.values()),
    )


def _meta(package: Package, name: PackName, found: Mapping[str, Found], judged: _Judged) -> Mapping[str, Any]:
    title, version, licence = package.identity
    return {
        "system": name.system,
        "backend": name.backend,
        "version": name.version,
        "package": {"name": title, "version": version},
        "licence": licence,
        "attribution": ATTRIBUTION.format(title, version, licence),
        "devices": sorted({device for one in found.values() for device in one.reading.devices}),
        "sources": [asdict(source) for one in found.values() for source in one.sources],
        "left_out": {table: left for table, one in found.items() if (left := _left_out(one))},
        "rules": list(repair.RULES),
        "repairs": list(judged.repairs.log),
        "suspects": list(judged.suspects),
    }


def _left_out(one: Found) -> Mapping[str, float]:
    """How many rows a table does not have that its files do, by reason; empty if it has them all."""
    read = one.reading
    counts = {"repeated": read.repeated, "superseded": read.superseded, "unusable": read.unusable}
    if not any(counts.values()):
        return {}
    return counts | ({"spread": read.spread} if read.repeated else {})
