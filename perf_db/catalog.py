"""Which packs of measurements there are, and which one answers for a system, an engine and a version."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from perf_db import accuracy, hosts
from perf_db.accuracy import Accuracy
from perf_db.errors import BrokenPack, UnknownBackend, UnknownSystem
from perf_db.hosts import Hosts
from perf_db.pack import Pack, PackName

__all__ = ["COLLECTIVES", "SHIPPED", "Catalog", "Pack", "PackName", "Resolution", "age"]

SHIPPED = Path(__file__).parent / "packs"
COLLECTIVES = "nccl"
_FILE = re.compile(r"(?P<backend>[a-z]+)-(?P<version>.+)\.zip")
_RELEASE = re.compile(r"v?(?P<release>\d+(?:\.\d+)*)")
_SUFFIX = re.compile(r"(?P<stage>dev|a|b|rc|post)\.?(?P<number>\d*)")
# A development build precedes its release candidates, these the release, and a post-release follows it (PEP 440).
_STAGES = {"dev": -4, "a": -3, "b": -2, "rc": -1, "": 0, "post": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The pack that answers, the version asked for (None = newest), and a note when they differ ("" otherwise)."""

    pack: PackName
    asked: str | None
    note: str


Constants = Mapping[str, Mapping[str, float]] | None
Age = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]


def age(version: str) -> Age:
    """A key that sorts versions oldest first: 0.1.dev3 < 1.2.0rc5 < 1.2.0rc10 < 1.2 = 1.2.0 < 1.2.0.post2 < 1.10."""
    match = _RELEASE.match(version)
    numbers = [int(part) for part in match["release"].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    suffix = version[match.end() :] if match else version
    stages = [(_STAGES[found["stage"]], int(found["number"] or 0)) for found in _SUFFIX.finditer(suffix)]
    return tuple(numbers), (*stages, (_STAGES[""], 0))


class Catalog:
    """The packs under *root* (None: those shipped with this package). Raises BrokenPack if there is no such folder.

    origin: the catalog of the same packs whose tables are looked at, usually itself; constants: of hosts, by engine,
    None for those stored.
    """

    def __init__(
        self, root: Path | None = None, *, origin: "Catalog | None" = None, constants: Constants = None
    ) -> None:
        self.root = root or SHIPPED
        if not self.root.is_dir():
            raise BrokenPack(str(self.root), "there is no such folder")
        self.origin = origin or self
        self._constants = constants
        self._opened: dict[tuple[PackName, bool], Pack] = {}

    def packs(self) -> tuple[PackName, ...]:
        """Every engine pack, by system, backend, then version oldest first; the nccl packs are in `collectives`."""
        return tuple(name for name in self._names if name.backend != COLLECTIVES)

    def collectives(self) -> tuple[PackName, ...]:
        """Every nccl pack, in the same order."""
        return tuple(name for name in self._names if name.backend == COLLECTIVES)

    def resolve(self, system: str, backend: str, version: str | None = None) -> Resolution:
        """The pack for this engine: the exact version, or the nearest there is with a note.

        None means the newest. Otherwise the nearest older one stands in; for a version older than all the oldest, for
        one without numbers (a nightly build) the newest. Raises UnknownSystem, UnknownBackend. *backend* may be "nccl".
        """
        here = [name for name in self._names if name.system == system]
        if not here:
            raise UnknownSystem(system, _distinct(name.system for name in self._names))
        engine = [name for name in here if name.backend == backend]
        if not engine:
            raise UnknownBackend(backend, _distinct(name.backend for name in here))
        found, relation = _nearest(engine, version)
        if version is None or age(found.version) == age(version):
            return Resolution(pack=found, asked=version, note="")
        told = f"{backend} {version} was not measured on {system}: {found.version}, {relation}, is used"
        return Resolution(pack=found, asked=version, note=told)

    def open(self, name: PackName, *, repaired: bool = True) -> Pack:
        """The pack, with its repairs or as it was measured. Opening twice gives the same object. Raises BrokenPack."""
        key = (name, repaired)
        if key not in self._opened:
            self._opened[key] = Pack(name, name.path(self.root), repaired=repaired)
        return self._opened[key]

    def systems(self) -> Mapping[str, Mapping[str, Any]]:
        """GPU facts by system name, units in the key names (see packs/systems.json). Raises BrokenPack."""
        return self._systems

    def facts(self, system: str) -> Mapping[str, Any]:
        """The facts of one GPU system. Raises UnknownSystem, naming the nearest, and BrokenPack."""
        known = self.systems()
        if system not in known:
            raise UnknownSystem(system, known)
        return known[system]

    @cached_property
    def data_version(self) -> str:
        """Twelve hex digits that change when any pack, fact or calibration changes: all that a plan can depend on."""
        return self._digest([self.root / accuracy.FILE, self.root / hosts.FILE])

    @cached_property
    def measurements(self) -> str:
        """The same without what was learned about errors: what predictions depend on."""
        return self._digest([self.root / hosts.FILE])

    @cached_property
    def accuracy(self) -> Accuracy | None:
        """How far predictions were from measured runs; None where nobody looked. Raises BrokenPack."""
        return accuracy.read(self.root)

    @cached_property
    def hosts(self) -> Hosts | None:
        """The fitted constants of hosts; None where nobody fitted any. Raises BrokenPack."""
        return hosts.read(self.root)

    def host(self, backend: str) -> Mapping[str, float]:
        """Constants of that engine's host that replace its priors, seconds by name. Raises BrokenPack."""
        if self._constants is not None:
            return self._constants.get(backend, {})
        return {} if self.hosts is None else self.hosts.values(backend)

    def with_hosts(self, constants: Constants) -> "Catalog":
        """The same packs with these constants by engine instead of those stored; `origin` is this catalog."""
        return Catalog(self.root, origin=self.origin, constants=constants)

    def _digest(self, more: Iterable[Path]) -> str:
        digest = sha256()
        for path in [
            self.root / "systems.json",
            *(name.path(self.root) for name in self._names),
            *filter(Path.exists, more),
        ]:
            digest.update(path.relative_to(self.root).as_posix().encode())
            digest.update(sha256(path.read_bytes()).digest())
        return digest.hexdigest()[:12]

    @cached_property
    def _names(self) -> tuple[PackName, ...]:
        found = [
            PackName(system=path.parent.name, backend=match["backend"], version=match["version"])
            for path in self.root.glob("*/*.zip")
            if (match := _FILE.fullmatch(path.name))
        ]
        return tuple(sorted(found, key=lambda name: (name.system, name.backend, age(name.version))))

    @cached_property
    def _systems(self) -> Mapping[str, Mapping[str, Any]]:
        path = self.root / "systems.json"
        try:
            facts: dict[str, dict[str, Any]] = json.loads(path.read_text())["systems"]
        except (OSError, ValueError, KeyError) as problem:
            raise BrokenPack(str(path), str(problem)) from problem
        return facts


def _nearest(engine: Sequence[PackName], version: str | None) -> tuple[PackName, str]:
    """The pack that stands in for *version*, of packs sorted oldest first, and what it is to that version."""
    if version is None or not any(character.isdigit() for character in version.partition("-")[0]):
        return engine[-1], "the newest"
    older = [name for name in engine if age(name.version) <= age(version)]
    return (older[-1], "the nearest older") if older else (engine[0], "the oldest there is")


def _distinct(words: Iterable[str]) -> list[str]:
    return sorted(set(words))
