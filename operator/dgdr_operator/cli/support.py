"""`dgdr support`: which models, systems and engines there are measurements for, and how far they reach."""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from dgdr_operator.cli import options, question
from dgdr_operator.cli.options import FEASIBLE, Parser
from dgdr_operator.report import coverage as report
from dgdr_operator.report import coverage_matrix, figures, grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import heading
from estimator import catalogue, coverage, hardware
from estimator.backends import registry
from estimator.coverage import Coverage
from estimator.hardware import System
from perf_db.catalog import Catalog
from perf_db.errors import UnknownSystem

_PURPOSE = "Say what is measured: for a model on a system, operation by operation; without a model, what there is."
_EXAMPLES = """\
examples:
  dgdr support
  dgdr support --model deepseek-ai/DeepSeek-V3
  dgdr support --model Qwen/Qwen3-32B-FP8 --system h200_sxm --backend vllm
  dgdr support --matrix > docs/support-matrix.md"""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("support", description=_PURPOSE, epilog=_EXAMPLES)
    model = "Hugging Face name, or a directory with its config.json"
    parser.add_argument("--model", "--model-path", metavar="NAME", help=model)
    parser.add_argument("--system", metavar="NAME", help="kind of GPU server (all)")
    engine = options.one_of(("auto", *registry.NAMES))
    parser.add_argument("--backend", type=engine, metavar="NAME", default="auto", help="an engine (auto: all)")
    parser.add_argument("--backend-version", metavar="V", help="version of the measurements (newest)")
    form = options.one_of(("table", "json"))
    parser.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")
    parser.add_argument("--matrix", action="store_true", help="the support matrix, as a Markdown page")


def run(flags: argparse.Namespace) -> int:
    """Look, print."""
    catalog, paper = Catalog(), options.paper_of(sys.stdout)
    if flags.matrix:
        sys.stdout.write(coverage_matrix.page(matrix(catalog)))
        return FEASIBLE
    systems = _systems(flags.system, catalog)
    if flags.model is None:
        sys.stdout.write(_everything(systems, catalog, flags.output, paper))
        return FEASIBLE
    sys.stdout.write(_shown(_covered(flags, systems, catalog), flags, paper))
    return FEASIBLE


def matrix(catalog: Catalog) -> list[Coverage]:
    """The coverage of every model of the support matrix on every system and engine, newest measurements.

    Seconds of work per engine and system, which have nothing in common: one process each, as many as there are cores.
    """
    pairs = [(backend, system.name) for backend in registry.NAMES for system in _systems(None, catalog)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return [one for column in pool.map(partial(_column, catalog.root), pairs) for one in column]


def _column(root: Path, pair: tuple[str, str]) -> tuple[Coverage, ...]:
    catalog, (backend, name) = Catalog(root), pair
    models = [catalogue.load(model) for family in coverage_matrix.MODELS.values() for model in family]
    return coverage.over(models, hardware.system(name, catalog.systems()[name]), backend, catalog)


def _systems(name: str | None, catalog: Catalog) -> list[System]:
    """The system of that name, or every system that was measured."""
    known = catalog.systems()
    if name is not None and name not in known:
        raise UnknownSystem(name, known)
    measured = dict.fromkeys(pack.system for pack in catalog.packs())
    return [hardware.system(one, known[one]) for one in ([name] if name is not None else measured)]


def _covered(flags: argparse.Namespace, systems: Sequence[System], catalog: Catalog) -> list[Coverage]:
    model = catalogue.load(flags.model)
    engines = registry.NAMES if flags.backend == "auto" else (flags.backend,)
    version = question.version(flags)
    return [coverage.coverage(model, system, engine, catalog, version) for system in systems for engine in engines]


def _shown(found: Sequence[Coverage], flags: argparse.Namespace, paper: Paper) -> str:
    """Everything about one system, one line each for many."""
    if flags.output == "json":
        return json.dumps([report.record(one) for one in found], indent=2, ensure_ascii=False) + "\n"
    return report.page(found, paper) if flags.system is not None else report.overview(found, paper)


def _everything(systems: Sequence[System], catalog: Catalog, form: str, paper: Paper) -> str:
    """The systems with the versions measured of each engine, and the models whose shapes are known."""
    versions = {
        system.name: {engine: _versions(catalog, system.name, engine) for engine in registry.NAMES}
        for system in systems
    }
    if form == "json":
        document = {"systems": versions, "models": catalogue.names()}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    columns = [Column(head=("", "system"), cells=tuple(versions), left=True)]
    for engine in registry.NAMES:
        cells = tuple(", ".join(found[engine]) or figures.MISSING for found in versions.values())
        columns.append(Column(head=("", engine), cells=cells, left=True))
    lines = [*heading("Measured systems and engines, newest version first", paper), *grid.draw(columns, paper), ""]
    lines += [*heading(f"{len(catalogue.names())} models by name; any directory with a config.json works too", paper)]
    return "\n".join([*lines, *catalogue.names()]) + "\n"


def _versions(catalog: Catalog, system: str, engine: str) -> list[str]:
    found = [pack.version for pack in catalog.packs() if (pack.system, pack.backend) == (system, engine)]
    return found[::-1]
