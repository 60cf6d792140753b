"""What is covered for one model: a page for people and a document for scripts, one engine after the other."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dgdr_operator.report import figures, grid, rows
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from estimator.coverage import MOST_SEQUENCES, REFERENCE, Coverage, ModeCoverage, WorkerCoverage
from estimator.estimates import DOUBTFUL

_TRACE = 0.0005
_MARK = f"! is {' or '.join(sorted(DOUBTFUL, reverse=True))}, not measured."


def page(coverages: Sequence[Coverage], paper: Paper) -> str:
    """Everything about *coverages* (one model and system), as text that ends with a newline."""
    blocks = ["\n".join(_engine(one, paper)) for one in coverages]
    return "\n\n".join([*blocks, "\n".join(_reference(_MARK, paper))]) + "\n"


def overview(coverages: Sequence[Coverage], paper: Paper) -> str:
    """One line per system and one column per engine, for one model."""
    systems = list(dict.fromkeys(one.system for one in coverages))
    cells = {(one.system, one.backend): words(one) for one in coverages}
    columns = [Column(head=("", "system"), cells=tuple(systems), left=True)]
    for backend in dict.fromkeys(one.backend for one in coverages):
        found = tuple(cells.get((system, backend), figures.MISSING) for system in systems)
        columns.append(Column(head=("", backend), cells=found, left=True))
    lines = [*heading(f"{coverages[0].model}: aggregated / disaggregated", paper), *grid.draw(columns, paper)]
    return "\n".join([*lines, "", *_reference("", paper)]) + "\n"


def words(one: Coverage) -> str:
    """Both verdicts in short, one where they agree."""
    verdicts = [mode.verdict for mode in one.modes.values()]
    return " / ".join(dict.fromkeys(verdicts))


def record(one: Coverage) -> dict[str, Any]:
    """What scripts read."""
    return {
        "model": one.model,
        "system": one.system,
        "backend": one.backend,
        "backend_version": one.version or None,
        "dtypes": dict(one.dtypes),
        "notes": list(one.notes),
        **{mode: _mode_record(found) for mode, found in one.modes.items()},
    }


def _mode_record(found: ModeCoverage) -> dict[str, Any]:
    workers = {worker.role: _worker_record(worker) for worker in found.workers}
    return {"verdict": found.verdict, "reason": found.reason or None, "workers": workers}


def _worker_record(worker: WorkerCoverage) -> dict[str, Any]:
    return {
        "parallelism": rows.parallelism(worker.parallel),
        "sequences": worker.sequences,
        "unmeasured": rows.rounded(worker.doubt),
        "provenance": {name: rows.rounded(share) for name, share in worker.provenance.items()},
        "ops": [
            {"phase": op.phase, "op": op.name, "share": rows.rounded(op.share), "provenance": op.provenance}
            for op in worker.ops
        ],
    }


def _engine(one: Coverage, paper: Paper) -> Iterator[str]:
    yield from heading(f"{one.model} on {one.system} with {one.backend} {one.version}".rstrip(), paper)
    yield from facts("Verdict", [f"{mode}, {_verdict(found)}" for mode, found in one.modes.items()], paper)
    yield from facts("Dtypes", [f"{name}: {value}" for name, value in one.dtypes.items()], paper)
    yield from facts("Notes", one.notes, paper)
    if columns := _ops(one):
        yield ""
        yield from grid.draw(columns, paper)


def _verdict(found: ModeCoverage) -> str:
    if found.verdict == "no":
        return f"no: {found.reason}"
    return f"{found.verdict}: {'; '.join(map(_worker, found.workers))}"


def _worker(worker: WorkerCoverage) -> str:
    role = "" if worker.role == "aggregated" else f"{worker.role} "
    shares = [f"{name} {figures.percent(share)}" for name, share in worker.provenance.items() if share > _TRACE]
    return f"{role}{figures.split(worker.parallel)} rests on {', '.join(shares)}"


def _ops(one: Coverage) -> list[Column]:
    """The operations of both phases, each with its share of the worker's time in either way of serving."""
    alone = {op.phase: worker for worker in one.modes["disaggregated"].workers for op in worker.ops}
    together = _by_op(one.modes["aggregated"].workers)
    lines = [(phase, op) for phase in ("prefill", "decode") if phase in alone for op in alone[phase].ops]
    if not lines:
        return []
    shared = [together.get((phase, op.name, op.provenance), 0.0) for phase, op in lines]
    return [
        Column(head=("", "phase"), cells=tuple(phase for phase, _ in lines), left=True),
        Column(head=("", "operation"), cells=tuple(op.name for _, op in lines), left=True),
        Column(head=("share,", "disagg."), cells=tuple(figures.percent(op.share) for _, op in lines)),
        Column(head=("share,", "agg."), cells=tuple(figures.percent(share) for share in shared), need=5),
        Column(head=("", "evidence"), cells=tuple(_marked(op.provenance) for _, op in lines), left=True),
    ]


def _by_op(workers: Iterable[WorkerCoverage]) -> dict[tuple[str, str, str], float]:
    return {(op.phase, op.name, op.provenance): op.share for worker in workers for op in worker.ops}


def _marked(provenance: str) -> str:
    return f"{provenance} !" if provenance in DOUBTFUL else provenance


def _reference(more: str, paper: Paper) -> Iterator[str]:
    text = (
        f"Shares of the time of a request of {REFERENCE.isl} tokens in and {REFERENCE.osl} out, on the smallest worker "
        f"that holds the model, up to {MOST_SEQUENCES} sequences decoding together. {more}"
    )
    yield from facts("Reference", [text], paper)
