"""`dgdr perfdb import` and `verify`: the part of the verb that needs pyarrow."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from dgdr_operator.cli import options
from dgdr_operator.cli.options import FEASIBLE, UsageError
from dgdr_operator.report import grid
from dgdr_operator.report.paper import Paper
from perf_db import importer
from perf_db.catalog import COLLECTIVES, Catalog, PackName

_DIFFERENT = 1


def import_packs(flags: argparse.Namespace, paper: Paper) -> int:
    """Make the packs, and say how many rows of each were kept, left out and repaired."""
    known = sorted(Catalog().systems())
    _refuse_unknown("system", flags.system, known)
    _refuse_unknown("backend", flags.backend, importer.ENGINES)
    for version in flags.version:
        _refuse_unknown("version's backend", [version.partition("-")[0]], (*importer.ENGINES, COLLECTIVES))
    wanted = importer.Wanted(
        systems=flags.system or known, backends=flags.backend or importer.ENGINES, versions=flags.version
    )
    made = importer.import_packs(flags.sources, wanted, flags.out)
    columns = [
        grid.Column(head=("", "pack"), cells=tuple(str(one.pack) for one in made), left=True),
        grid.Column(head=("", "rows"), cells=tuple(f"{one.rows:,}" for one in made)),
        grid.Column(head=("repeated", "keys"), cells=tuple(f"{one.repeated:,}" for one in made), need=3),
        grid.Column(head=("other", "versions"), cells=tuple(f"{one.superseded:,}" for one in made), need=2),
        grid.Column(head=("without", "time"), cells=tuple(f"{one.unusable:,}" for one in made), need=2),
        grid.Column(head=("", "repaired"), cells=tuple(f"{one.repaired:,}" for one in made)),
        grid.Column(head=("", "kB"), cells=tuple(f"{one.size / 1e3:,.0f}" for one in made), need=4),
    ]
    _print(grid.draw(columns, paper))
    for system in _alone(Catalog(flags.out).packs()):
        _print(["", f"{system} has one engine only: without a sibling, launch-bound GEMM tables cannot be found."])
    return FEASIBLE


def _alone(packs: Sequence[PackName]) -> list[str]:
    engines = {(name.system, name.backend) for name in packs}
    counts = Counter(system for system, _ in engines)
    return sorted(system for system, engines_there in counts.items() if engines_there == 1)


def verify(flags: argparse.Namespace, paper: Paper) -> int:
    """Compare every row with its source; 1 if any differs by more than the encoding allows."""
    checks = tuple(importer.verify(flags.packs, flags.sources))
    if not checks:
        raise UsageError(f"no pack in {flags.packs} came from {', '.join(map(str, flags.sources))}")
    columns = [
        grid.Column(head=("", "pack"), cells=tuple(str(one.pack) for one in checks), left=True),
        grid.Column(head=("", "table"), cells=tuple(one.table for one in checks), left=True),
        grid.Column(head=("", "rows"), cells=tuple(f"{one.rows:,}" for one in checks)),
        grid.Column(head=("largest", "difference"), cells=tuple(f"{one.worst:.4%}" for one in checks)),
        grid.Column(head=("", "verdict"), cells=tuple("same" if one.good else "DIFFERS" for one in checks), left=True),
    ]
    _print(grid.draw(columns, paper))
    return FEASIBLE if all(one.good for one in checks) else _DIFFERENT


def _refuse_unknown(noun: str, given: Sequence[str], allowed: Sequence[str]) -> None:
    for word in given:
        if word not in allowed:
            hint = options.nearest(word, allowed)
            raise UsageError(f"there is no {noun} {word!r}: choose from {', '.join(allowed)}{hint}")


def _print(lines: Sequence[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
