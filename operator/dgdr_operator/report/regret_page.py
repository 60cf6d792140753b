"""The table of what trusting predictions costs."""

from collections.abc import Iterator, Mapping

from dgdr_operator.report import grid
from dgdr_operator.report.grid import Column
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import heading
from dgdr_operator.report.regret import Regret

_HEADS = ("mean", "median", "p90", "blind")


def table(found: Mapping[str, Regret], paper: Paper) -> Iterator[str]:
    """One line per engine; nothing where there was nothing to choose."""
    if not found:
        return
    yield ""
    yield from heading("Output lost by trusting predictions, in % at equal TPOT (blind: by chance)", paper)
    rows = list(found.values())
    yield from grid.draw(
        [
            Column(head=("", "backend"), cells=tuple(found), left=True),
            *(Column(head=("", name), cells=tuple(_percent(getattr(one, name)) for one in rows)) for name in _HEADS),
            Column(head=("best", "picked"), cells=tuple(_percent(one.right) for one in rows)),
            Column(head=("never", "as fast"), cells=tuple(str(one.missed) for one in rows), need=6),
            Column(head=("", "groups"), cells=tuple(str(one.groups) for one in rows), need=8),
            Column(head=("", "choices"), cells=tuple(str(one.configurations) for one in rows), need=5),
            Column(head=("", "levels"), cells=tuple(str(one.levels) for one in rows), need=7),
        ],
        paper,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
