"""What an engine's pack lacks although other engines on the same GPU were measured with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from perf_db.catalog import Catalog
from perf_db.pack import Pack, PackName
from perf_db.table import Table, Value

_DTYPES = {"gemm": "gemm_dtype", "moe": "moe_dtype"}
_EXPERTS = ("moe_dtype", "hidden_size", "inter_size", "topk", "num_experts")
_SPLIT = "moe_tp_size"
_ONE_NODE = 8  # nobody splits one expert over the network


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """*what* of *table* was not measured, although *witness* has it; *where* narrows it to a slice."""

    table: str
    where: Mapping[str, Value]
    what: str
    witness: PackName

    def __str__(self) -> str:
        place = f" for {', '.join(f'{key} {value}' for key, value in self.where.items())}" if self.where else ""
        return f"{self.table}: no {self.what}{place} (in {self.witness})"


def find(catalog: Catalog, name: PackName) -> tuple[Hole, ...]:
    """The data types and the splits of experts that *name* lacks and the newest pack of another engine has.

    A price for a hole is made at lookup, and says so. Raises BrokenPack.
    """
    own = catalog.open(name)
    newest = {other.backend: other for other in catalog.packs() if other.system == name.system}
    others = [catalog.open(other) for backend, other in newest.items() if backend != name.backend]
    return (*_dtypes(own, others), *_splits(own, others))


def _dtypes(own: Pack, others: Sequence[Pack]) -> Iterator[Hole]:
    for title, column in _DTYPES.items():
        mine = _values(own.table(title), column)
        for other in others:
            for dtype in sorted(_values(other.table(title), column) - mine, key=str):
                mine.add(dtype)
                yield Hole(table=title, where={}, what=f"{column} {dtype}", witness=other.name)


def _values(table: Table | None, column: str) -> set[Value]:
    return set() if table is None else set(table.values(column))


def _splits(own: Pack, others: Sequence[Pack]) -> Iterator[Hole]:
    """Experts that were measured whole, or split less than another engine's: what a larger split costs is unknown."""
    mine = _widest(own)
    for other in others:
        for experts, split in _widest(other).items():
            if experts in mine and mine[experts] < split:
                where = dict(zip(_EXPERTS, experts, strict=True))
                what = f"{_SPLIT} over {mine[experts]}"
                mine[experts] = split
                yield Hole(table="moe", where=where, what=what, witness=other.name)


def _widest(pack: Pack) -> dict[tuple[Value, ...], int]:
    """The largest tensor-parallel split that was measured, by data type and experts."""
    table = pack.table("moe")
    if table is None:
        return {}
    columns = [table.columns[name] for name in (*_EXPERTS, _SPLIT)]
    widest: dict[tuple[Value, ...], int] = {}
    for codes in set(zip(*(column.codes.tolist() for column in columns), strict=True)):
        *experts, split = (column.values[code] for column, code in zip(columns, codes, strict=True))
        widest[tuple(experts)] = max(widest.get(tuple(experts), 1), min(int(split), _ONE_NODE))
    return dict(sorted(widest.items(), key=str))
