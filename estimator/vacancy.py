"""Free GPUs, node by node, and which sets of workers fit on them: four GPUs on four nodes are no worker of four."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever counts free GPUs need not load numpy
    import numpy as np
    from numpy.typing import NDArray

    Counts = NDArray[np.intp]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacancy:
    """free: nodes by how many GPUs they have free; node_gpus: GPUs of a whole node, which is what each part of a
    worker over several nodes takes; limit: GPUs that may be taken in all, None for no limit beside what is free.
    """

    free: Mapping[int, int]
    node_gpus: int
    limit: int | None = None

    @property
    def gpus(self) -> int:
        """GPUs that may be taken, if they come in the right pieces."""
        free = sum(gpus * nodes for gpus, nodes in self.free.items())
        return free if self.limit is None else min(free, self.limit)

    def most(self, gpus: int) -> int:
        """Workers of so many GPUs that fit beside nothing else."""
        return min(self._slots(self._part(gpus)) // self._parts(gpus), self.gpus // gpus)

    def fits(self, sizes: Sequence[int], counts: Sequence[Counts]) -> Mask:
        """Whether the workers of every row fit together, shape (n,).

        sizes: GPUs of each kind of worker; counts: how many of each kind, shape (n,) each. Exact where each part's
        size divides the larger ones, as powers of two do, however the parts are placed; else never too hopeful.
        """
        parts = [self._part(size) for size in sizes]
        wanted = [count * self._parts(size) for size, count in zip(sizes, counts, strict=True)]
        fitting: Mask = _sum([size * count for size, count in zip(sizes, counts, strict=True)]) <= self.gpus
        for part in set(parts):
            larger = [many * self._lost(size, part) for size, many in zip(parts, wanted, strict=True) if size >= part]
            fitting = fitting & (_sum(larger) <= self._slots(part))
        return fitting

    def __str__(self) -> str:
        """For people: 6 GPUs: 4 on 1 node, 1 on 2 nodes."""
        places = [f"{gpus} on {nodes} node{'s' * (nodes > 1)}" for gpus, nodes in self._largest_first() if gpus]
        where = f"{sum(gpus * nodes for gpus, nodes in self.free.items())} GPUs"
        shown = f"{where}: {', '.join(places)}" if places else "no GPU"
        return shown if self.limit is None else f"{shown}; at most {self.limit} may be taken"

    def _largest_first(self) -> list[tuple[int, int]]:
        return sorted(self.free.items(), reverse=True)

    def _part(self, gpus: int) -> int:
        """GPUs that a worker takes on one node."""
        return min(gpus, self.node_gpus)

    def _parts(self, gpus: int) -> int:
        """Nodes that a worker spans."""
        return -(-gpus // self.node_gpus)

    def _slots(self, size: int) -> int:
        return sum(gpus // size * nodes for gpus, nodes in self.free.items())

    def _lost(self, larger: int, size: int) -> int:
        """Places for *size* that one part of *larger* GPUs costs: a whole node leaves no rest behind."""
        return larger // size if larger == self.node_gpus else -(-larger // size)


def _sum(columns: Sequence[Counts]) -> Counts:
    first, *others = columns
    for column in others:
        first = first + column
    return first
