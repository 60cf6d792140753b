"""`dgdr perfdb`: which measurements there are and what was repaired; new ones in, old ones checked."""

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dgdr_operator.cli import options
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.report import grid, prose
from dgdr_operator.report.paper import Paper
from perf_db import holes
from perf_db.catalog import SHIPPED, Catalog, Pack, PackName

_PURPOSE = "The measured kernel times: which there are, where they come from, what was repaired."
_EXAMPLES = """\
examples:
  dgdr perfdb list
  dgdr perfdb list --holes --system h200_sxm
  dgdr perfdb repairs --system h200_sxm --backend vllm
  dgdr perfdb import aiconfigurator-0.6.0-py3-none-any.whl --system h200_sxm --version vllm-0.12.0 --out packs
  dgdr perfdb verify aiconfigurator-0.6.0-py3-none-any.whl --packs packs

import and verify read wheels or extracted folders, run nothing in them, and need pyarrow:
pip install 'dgdr-operator[importer]'"""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb, its own verbs and their flags."""
    parser = subparsers.add_parser("perfdb", description=_PURPOSE, epilog=_EXAMPLES)
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", required=True, dest="perfdb verb")
    listing = verbs.add_parser("list", help="the packs, their sources and their size")
    repairs = verbs.add_parser("repairs", help="which rows a repair rule replaced, and why")
    importing = verbs.add_parser("import", help="make packs from published wheels or extracted folders")
    verifying = verbs.add_parser("verify", help="compare every row of the packs with the files it came from")
    for one, action in ((listing, _list), (repairs, _repairs), (importing, _import), (verifying, _verify)):
        one.set_defaults(action=action)
    for one in (listing, repairs, verifying):
        one.add_argument("--packs", metavar="DIR", type=Path, default=SHIPPED, help="where they are (those installed)")
    for one in (listing, repairs):
        one.add_argument("--system", metavar="NAME", help="only this GPU system")
        one.add_argument("--backend", metavar="NAME", help="only this backend (vllm, sglang, trtllm, nccl)")
    for one in (importing, verifying):
        one.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="a wheel or an extracted folder")
    listing.add_argument("--holes", action="store_true", help="what a pack lacks and another engine's has")
    _register_import(importing)


def _register_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the packs go")
    parser.add_argument("--system", metavar="NAME", action="append", default=[], help="repeatable; default: all known")
    parser.add_argument("--backend", metavar="NAME", action="append", default=[], help="repeatable; default: all")
    help_version = "as vllm-0.12.0, repeatable; a backend without one: its newest"
    parser.add_argument("--version", metavar="V", action="append", default=[], help=help_version)


def run(flags: argparse.Namespace) -> int:
    """Do what the second verb says."""
    code: int = flags.action(flags, options.paper_of(sys.stdout))
    return code


def _list(flags: argparse.Namespace, paper: Paper) -> int:
    catalog = Catalog(flags.packs)
    if flags.holes:
        return _holes(catalog, flags, paper)
    packs = _chosen(catalog, flags)
    columns = [
        grid.Column(head=("", "system"), cells=tuple(pack.name.system for pack in packs), left=True),
        grid.Column(head=("", "backend"), cells=tuple(pack.name.backend for pack in packs), left=True),
        grid.Column(head=("", "version"), cells=tuple(pack.name.version for pack in packs), left=True),
        grid.Column(head=("", "tables"), cells=tuple(str(len(pack.tables)) for pack in packs), need=3),
        grid.Column(head=("", "rows"), cells=tuple(f"{_rows(pack):,}" for pack in packs), need=5),
        grid.Column(head=("", "repaired"), cells=tuple(f"{_repaired(pack):,}" for pack in packs), need=6),
        grid.Column(head=("", "kB"), cells=tuple(f"{pack.size / 1e3:,.0f}" for pack in packs), need=2),
        grid.Column(head=("", "measured by"), cells=tuple(_package(pack.meta) for pack in packs), need=4, left=True),
        grid.Column(head=("", "sha256"), cells=tuple(pack.sha256[:12] for pack in packs), need=1, left=True),
    ]
    _print(grid.draw(columns, paper))
    facts = sorted(set(catalog.systems()) - {pack.name.system for pack in packs})
    without = f"facts but no measurements: {', '.join(facts)}" if facts and flags.system is None else ""
    _print(["", *prose.facts("data", [f"version {catalog.data_version}", without], paper)])
    return FEASIBLE


def _holes(catalog: Catalog, flags: argparse.Namespace, paper: Paper) -> int:
    for pack in _chosen(catalog, flags):
        found = holes.find(catalog, pack.name)
        if found:
            _print([*prose.heading(str(pack.name), paper), *(str(hole) for hole in found), ""])
    return FEASIBLE


def _repairs(flags: argparse.Namespace, paper: Paper) -> int:
    for pack in _chosen(Catalog(flags.packs), flags):
        log, doubts = pack.meta["repairs"], pack.meta.get("suspects", [])
        if log or doubts:
            _print([*prose.heading(str(pack.name), paper), *_log(log, paper), *_doubts(doubts, paper), ""])
    return FEASIBLE


def _doubts(suspects: Sequence[Mapping[str, Any]], paper: Paper) -> Iterator[str]:
    for one in suspects:
        yield f"{one['table']}: suspect, kept as measured, {one['rows']:,} rows of {one['dtype']}"
        slower = f"with few tokens {one['median_ratio']:.3g} times the time of {one['than']}"
        yield from prose.facts("  why", [slower], paper)


def _log(log: Sequence[Mapping[str, Any]], paper: Paper) -> Iterator[str]:
    for entry in log:
        scale = f"{entry['rows']:,} rows, median new/old {entry['median_ratio']:.3g}"
        yield f"{entry['table']}: {entry['rule']}, {scale}"
        yield from prose.facts("  why", [entry["why"]], paper)
        evidence = ", ".join(f"{name} {_short(value)}" for name, value in entry["evidence"].items())
        yield from prose.facts("  because", [evidence], paper)
        worst = entry["largest"][0]
        keys = ", ".join(f"{name} {value}" for name, value in worst["keys"].items())
        change = f"{worst['old_seconds'] * 1e6:.2f} to {worst['new_seconds'] * 1e6:.2f} us at {keys}"
        yield from prose.facts("  most", [change], paper)


def _import(flags: argparse.Namespace, paper: Paper) -> int:
    return _importing().import_packs(flags, paper)  # type: ignore[no-any-return]  # a module loaded by name


def _verify(flags: argparse.Namespace, paper: Paper) -> int:
    return _importing().verify(flags, paper)  # type: ignore[no-any-return]  # a module loaded by name


def _importing() -> ModuleType:
    """The rooms that need pyarrow, which an ordinary installation does not have."""
    try:
        return importlib.import_module("dgdr_operator.cli.perfdb_import")
    except ModuleNotFoundError as problem:
        if problem.name != "pyarrow":
            raise
        raise UsageError("reading published packages needs pyarrow: pip install 'dgdr-operator[importer]'") from None


def _chosen(catalog: Catalog, flags: argparse.Namespace) -> list[Pack]:
    names = (*catalog.packs(), *catalog.collectives())
    _refuse_unknown("system", flags.system, {name.system for name in names})
    _refuse_unknown("backend", flags.backend, {name.backend for name in names})
    return [catalog.open(name) for name in names if _fits(name, flags)]


def _refuse_unknown(noun: str, word: str | None, allowed: set[str]) -> None:
    if word is not None and word not in allowed:
        there = f"choose from {', '.join(sorted(allowed))}" if allowed else "there are no packs at all"
        raise UsageError(f"no pack has {noun} {word!r}: {there}{options.nearest(word, allowed)}")


def _fits(name: PackName, flags: argparse.Namespace) -> bool:
    return flags.system in {None, name.system} and flags.backend in {None, name.backend}


def _rows(pack: Pack) -> int:
    return sum(table["rows"] for table in pack.meta["tables"].values())


def _repaired(pack: Pack) -> int:
    return sum(len(patch.rows) for title in pack.tables if (patch := pack.patch(title)) is not None)


def _package(meta: Mapping[str, Any]) -> str:
    return f"{meta['package']['name']} {meta['package']['version']}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _print(lines: Sequence[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
