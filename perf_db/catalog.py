"""Which packs of measurements there are, and which one answers for a system, an engine and a version."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perf_db.table import Table


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PackName:
    """A pack: GPU system, backend (vllm, sglang, trtllm; `nccl` for the collectives of a system) and version."""

    system: str
    backend: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The pack that answers, the version asked for (None = newest), and a note when they differ ("" otherwise)."""

    pack: PackName
    asked: str | None
    note: str


class Pack:
    """One open pack: its tables, inflated on first use, and its meta record."""

    name: PackName
    sha256: str

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the importer recorded: sources, licence, devices, repair log, tables."""
        raise NotImplementedError

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables, sorted."""
        raise NotImplementedError

    def table(self, name: str) -> Table | None:
        """The table of that name, or None if this pack has none."""
        raise NotImplementedError


class Catalog:
    """The packs under *root* (None: those shipped with this package)."""

    def __init__(self, root: Path | None = None) -> None:
        raise NotImplementedError

    def packs(self) -> tuple[PackName, ...]:
        """Every engine pack, sorted by system, backend, then version oldest first; the nccl packs are in `collectives`."""
        raise NotImplementedError

    def collectives(self) -> tuple[PackName, ...]:
        """Every nccl pack."""
        raise NotImplementedError

    def resolve(self, system: str, backend: str, version: str | None = None) -> Resolution:
        """The pack for this engine: exact version, newest for None, else the nearest older one with a note.

        Raises UnknownSystem, UnknownBackend, UnknownVersion (nothing as old as that). `backend` may be "nccl".
        """
        raise NotImplementedError

    def open(self, name: PackName, *, repaired: bool = True) -> Pack:
        """The pack, with its repairs or as it was measured. Opening twice gives the same object. Raises BrokenPack."""
        raise NotImplementedError

    def systems(self) -> Mapping[str, Mapping[str, Any]]:
        """GPU facts by system name, units in the key names (see packs/systems.json)."""
        raise NotImplementedError

    @property
    def data_version(self) -> str:
        """Twelve hex digits that change when any pack or fact changes."""
        raise NotImplementedError
