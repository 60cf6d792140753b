"""What a published package holds, without installing or executing it: a wheel is a zip, and a folder is a folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from perf_db.errors import BadSource
from perf_db.pack import PackName

# Two layouts: systems/data/<system>/<backend>/<version>/<table>_perf.txt, and since the core package
# systems/data/<system>/<family>/<backend>/<version>/<table>_perf.parquet.
_MEMBER = re.compile(
    r"(?:^|/)systems/data/(?P<system>[^/]+)/(?:[^/]+/)?(?P<backend>[^/]+)/(?P<version>[^/]+)/"
    r"(?P<table>[^/]+)_perf\.(?:txt|parquet)$"
)
_METADATA = re.compile(r"(?:^|/)[^/]+\.dist-info/METADATA$")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """One table file inside a package."""

    pack: PackName
    table: str
    path: str


class Package:
    """A wheel or an extracted folder of measurements. Raises BadSource."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = None if path.is_dir() else ZipFile(path)
        except (OSError, BadZipFile) as problem:
            raise BadSource(str(path), f"neither a folder nor a wheel ({problem})") from problem
        if not self.members:
            raise BadSource(str(path), "it has no files named systems/data/.../*_perf.txt or *_perf.parquet")

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every table file, sorted."""
        found = [
            Member(
                pack=PackName(system=match["system"], backend=match["backend"], version=match["version"]),
                table=match["table"],
                path=path,
            )
            for path in self._paths()
            if (match := _MEMBER.search(path))
        ]
        return tuple(sorted(found))

    @cached_property
    def identity(self) -> tuple[str, str, str]:
        """Name, version and licence, as the package's own metadata declare them; "unknown" where they are missing."""
        fields = {"Name": "unknown", "Version": "unknown", "License-Expression": "unknown"}
        for path in self._paths():
            if _METADATA.search(path):
                for line in self.read(path).decode().splitlines():
                    key, _, value = line.partition(": ")
                    if key in fields:
                        fields[key] = value.strip()
                break
        return fields["Name"], fields["Version"], fields["License-Expression"]

    def read(self, member: str) -> bytes:
        """The bytes of one member."""
        return (self.path / member).read_bytes() if self._zip is None else self._zip.read(member)

    def _paths(self) -> Iterator[str]:
        if self._zip is not None:
            yield from self._zip.namelist()
            return
        for path in sorted(self.path.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.path).as_posix()
