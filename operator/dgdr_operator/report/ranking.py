"""The ranked tables: one line per deployment, aggregated and disaggregated."""

from collections.abc import Callable, Sequence

from dgdr_operator.report import figures, grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from estimator.estimates import DOUBTFUL, DOUBTFUL_SHARE, Estimate, Worker

CHOSEN = "*"
DOUBTED = "!"

Cell = Callable[[Estimate], str]


def table(estimates: Sequence[Estimate], chosen: Estimate | None, paper: Paper) -> list[str]:
    """Lines of the table of *estimates* (one mode, best first), the chosen one marked; no lines for none."""
    if not estimates:
        return []
    shown = columns(estimates, chosen)
    lines = grid.draw(shown, paper)
    if missing := grid.left_out(shown, paper):
        lines.append(f"(left out at this width: {', '.join(missing)})")
    return lines


def footnotes(estimates: Sequence[Estimate], chosen: Estimate | None) -> list[str]:
    """What the marks in the tables of *estimates* mean, as far as one of them is there."""
    notes = [f"{CHOSEN} the plan"] if chosen in estimates else []
    if any(estimate.is_doubtful for estimate in estimates):
        share = figures.percent(DOUBTFUL_SHARE)
        classes = " or ".join(sorted(DOUBTFUL, reverse=True))
        notes.append(f"{DOUBTED} more than {share} of its step time is {classes}, not measured")
    if any(estimate.trust is not None for estimate in estimates):
        notes.append("P(SLA kept): share of compared runs that, off by as much, would still keep all latency targets")
    return notes


def columns(estimates: Sequence[Estimate], chosen: Estimate | None) -> list[Column]:
    """The table of *estimates* (one mode, at least one), column by column."""
    ranks = tuple(f"{_mark(estimate, chosen)}{rank}" for rank, estimate in enumerate(estimates, 1))
    found = [Column(head=("", "#"), cells=ranks)]
    if len({(estimate.backend, estimate.backend_version) for estimate in estimates}) > 1:
        found.append(_column(estimates, ("", "backend"), lambda one: one.backend, left=True))
    return [*found, *_performance(estimates), *_shape(estimates)]


def _performance(estimates: Sequence[Estimate]) -> list[Column]:
    return [
        _column(estimates, ("tok/s", "/GPU"), lambda one: figures.plain(one.tokens_per_second_per_gpu)),
        _column(estimates, ("tok/s", "/user"), _per_user, need=7),
        _column(estimates, ("TTFT", "ms"), lambda one: figures.ms(one.latency.ttft)),
        _column(estimates, ("ITL", "ms"), lambda one: figures.ms(one.latency.itl)),
        *_odds(estimates),
        _column(estimates, ("request", "ms"), lambda one: figures.ms(one.latency.request), need=2),
        _column(estimates, ("", "concurrency"), _concurrency, need=6),
        _column(estimates, ("", "GPUs"), _gpus, need=8),
    ]


def _odds(estimates: Sequence[Estimate]) -> list[Column]:
    """How probable it is that the targets are kept, where that is known of any."""
    if all(estimate.trust is None for estimate in estimates):
        return []
    return [_column(estimates, ("P(SLA", "kept)"), figures.odds, need=4)]


def _shape(estimates: Sequence[Estimate]) -> list[Column]:
    memory = _column(estimates, ("GPU", "GiB"), lambda one: figures.gib(figures.memory(one)), need=1)
    if estimates[0].mode == "aggregated":
        return [
            _column(estimates, ("", "parallel"), lambda one: figures.split(one.workers[0].parallel), left=True),
            _column(estimates, ("", "batch"), lambda one: str(one.workers[0].batch_size), need=5),
            memory,
        ]
    return [
        _column(estimates, ("", "prefill"), lambda one: _pool(one.worker("prefill")), left=True),
        _column(estimates, ("", "decode"), lambda one: _pool(one.worker("decode")), left=True),
        memory,
    ]


def _column(
    estimates: Sequence[Estimate], head: tuple[str, str], cell: Cell, *, need: int = 9, left: bool = False
) -> Column:
    return Column(head=head, cells=tuple(cell(estimate) for estimate in estimates), need=need, left=left)


def _mark(estimate: Estimate, chosen: Estimate | None) -> str:
    return (CHOSEN if estimate == chosen else "") + (DOUBTED if estimate.is_doubtful else "")


def _per_user(estimate: Estimate) -> str:
    speed = estimate.tokens_per_second_per_user
    return figures.MISSING if speed is None else figures.plain(speed)


def _concurrency(estimate: Estimate) -> str:
    total, replicas = estimate.load.concurrency, estimate.replicas
    return f"{total} (={figures.short(total / replicas)}x{replicas})" if total % replicas == 0 else str(total)


def _gpus(estimate: Estimate) -> str:
    return f"{estimate.gpus} (={estimate.replicas}x{estimate.gpus_per_replica})"


def _pool(worker: Worker) -> str:
    return f"{figures.workers(worker)} b{worker.batch_size}"
