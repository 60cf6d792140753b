"""What `dgdr validate` prints: coverage, rows that cannot be, errors by group, and how sure all that is."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from dgdr_operator.report import accuracy, figures, grid, scores
from dgdr_operator.report.accuracy import METRICS, WORDS, Metric, Pair, Row
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from estimator import intervals
from perf_db.accuracy import Accuracy

_SPREAD_OVER = ("all", "backend", "system")
_NAMES_SHOWN = 4


def errors(pairs: Sequence[Pair], paper: Paper) -> Iterator[str]:
    """Errors by every grouping; only the first tells what they are without the rows that cannot be."""
    yield from heading("Errors in % of the measured time (bias: signed median)", paper)
    for grouping in accuracy.GROUPINGS:
        yield ""
        yield from grid.draw(scores.columns(grouping, _scores(_shown(pairs, grouping))), paper)
    yield ""
    yield from heading("90 % intervals of these errors, drawn over groups (model, system)", paper)
    found = {group: row for grouping in _SPREAD_OVER for group, row in accuracy.rows(pairs, grouping).items()}
    yield from grid.draw(_spreads(found), paper)


def suspects(pairs: Sequence[Pair], paper: Paper) -> Iterator[str]:
    """Rows whose prompts alone imply more arithmetic than their GPUs can do, or hardly can, if there are any."""
    limits = (
        ("impossible as labelled", accuracy.IMPOSSIBLE, float("inf")),
        ("hardly possible", accuracy.IMPLAUSIBLE, accuracy.IMPOSSIBLE),
    )
    lines = []
    for word, least, most in limits:
        inside = [pair for pair in pairs if least < pair.arithmetic <= most]
        lines += [f"{word}: {line}" for line in _suspects(inside)]
    yield from facts("Suspect", lines, paper)


def coverage(pairs: Sequence[Pair], stored: Accuracy | None, paper: Paper) -> Iterator[str]:
    """Shares of measurements inside the intervals: those that are stored, and those learned from the other groups."""
    engines = accuracy.members(pairs, "backend")
    yield from heading("Measurements inside 90 % intervals, in %", paper)
    columns = [Column(head=("", "backend"), cells=tuple(engines), left=True)]
    for title, share in shares(stored).items():
        for metric in METRICS:
            cells = tuple(_percent(share(own, metric)) for own in engines.values())
            columns.append(Column(head=(title, WORDS[metric]), cells=cells))
    yield from grid.draw(columns, paper)


def shares(stored: Accuracy | None) -> Mapping[str, Callable[[Sequence[Pair], Metric], float | None]]:
    """How to count measurements inside intervals: those that are stored, those learned from the other groups."""
    return {"stored": _inside(stored), "group left out": _left_out}


def _shown(pairs: Sequence[Pair], grouping: str) -> Mapping[str, Row]:
    found = accuracy.rows(pairs, grouping)
    if grouping != "all":
        return found
    for word, most in (("impossible", accuracy.IMPOSSIBLE), ("hardly possible", accuracy.IMPLAUSIBLE)):
        kept = accuracy.possible(pairs, most)
        if 0 < len(kept) < len(pairs):
            found[f"without {word}"] = accuracy.rows(kept, "all")["all rows"]
    return found


def _scores(rows: Mapping[str, Row]) -> dict[str, tuple[scores.Score | None, scores.Score | None]]:
    return {
        group: (row["ttft"].score if row["ttft"] else None, row["itl"].score if row["itl"] else None)
        for group, row in rows.items()
    }


def _suspects(inside: Sequence[Pair]) -> Iterator[str]:
    kinds = Counter((pair.backend, pair.experience) for pair in inside)
    for (backend, experience), count in kinds.items():
        own = [pair for pair in inside if (pair.backend, pair.experience) == (backend, experience)]
        names = [pair.name for pair in own if pair.name]
        more = ", ..." if len(names) > _NAMES_SHOWN else ""
        which = f" ({', '.join(names[:_NAMES_SHOWN])}{more})" if names else ""
        most = max(pair.arithmetic for pair in own)
        yield f"{count} of {experience}, {backend}{which}: prompts alone at up to {most:.2f} of peak arithmetic"


def _spreads(rows: Mapping[str, Row]) -> list[Column]:
    columns = [Column(head=("", "group"), cells=tuple(rows), left=True)]
    for metric in ("itl", "ttft"):
        found = [standing.spread if (standing := row[metric]) else None for row in rows.values()]
        for field in ("mean", "median"):
            cells = tuple("-" if one is None else _range(getattr(one, field)) for one in found)
            columns.append(Column(head=(WORDS[metric], field), cells=cells))
    return columns


def _range(ends: tuple[float, float]) -> str:
    return f"{100 * ends[0]:.1f} - {100 * ends[1]:.1f}"


def _inside(stored: Accuracy | None) -> Callable[[Sequence[Pair], Metric], float | None]:
    def share(pairs: Sequence[Pair], metric: Metric) -> float | None:
        hits = [
            band.low <= both[1] / both[0] <= band.high
            for pair in pairs
            if (both := pair.of(metric)) is not None
            and stored is not None
            and (band := stored.band(pair.backend, metric, pair.evidence)) is not None
        ]
        return sum(hits) / len(hits) if hits else None

    return share


def _left_out(pairs: Sequence[Pair], metric: Metric) -> float | None:
    found = intervals.band(accuracy.residuals(pairs, metric))
    return None if found is None else found.coverage


def _percent(share: float | None) -> str:
    return figures.MISSING if share is None else f"{100 * share:.1f}"
