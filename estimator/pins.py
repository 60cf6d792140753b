"""What the asker has decided already: sizes of the answer that the search leaves as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from estimator.errors import InvalidWorkload
from estimator.estimates import Estimate, Mode, Role
from estimator.parallelism import Parallel

SIZES = ("tp", "pp", "dp", "moe_tp", "ep", "workers", "batch")
"""What can be pinned of a kind of workers: how one is split, how many there are in all, and the requests in flight per
attention rank of one."""

ROLES: dict[str, Role] = {
    "agg": "aggregated", "aggregated": "aggregated", "worker": "aggregated", "prefill": "prefill", "decode": "decode",
}  # fmt: skip
"""Words for a role -> the role."""

_MODES: dict[str, Mode] = {
    "agg": "aggregated", "aggregated": "aggregated", "disagg": "disaggregated", "disaggregated": "disaggregated",
}  # fmt: skip
_MODE_OF: dict[Role, Mode] = {"aggregated": "aggregated", "prefill": "disaggregated", "decode": "disaggregated"}
_SPELLED = {"moe_ep": "ep", "replicas": "workers", "batch_size": "batch"}
_LARGEST = 1_000_000
_ALLOWED = f"pairs such as mode=disaggregated,prefill.tp=2,prefill.workers=2 of mode, {', '.join(SIZES)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """*size* is *value* for the workers of *role*; None: of every role."""

    size: str
    value: int
    role: Role | None = None

    def __str__(self) -> str:
        return f"{self.role}.{self.size}={self.value}" if self.role else f"{self.size}={self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """Everything decided; mode None: either."""

    mode: Mode | None = None
    sizes: tuple[Pin, ...] = ()

    def __bool__(self) -> bool:
        return self.mode is not None or bool(self.sizes)

    def __str__(self) -> str:
        return ",".join([*([f"mode={self.mode}"] if self.mode else []), *map(str, self.sizes)])

    def size(self, role: Role, name: str) -> int | None:
        """What *name* has to be for workers of *role*, or None if that is open; a pin of the role itself wins."""
        said = [pin for pin in self.sizes if pin.size == name and pin.role in {None, role}]
        return max(said, key=lambda pin: pin.role is not None).value if said else None

    def allows(self, mode: Mode) -> bool:
        """Whether deployments of *mode* are to be considered."""
        return self.mode in {None, mode}

    def splits(self, role: Role, parallel: Parallel) -> bool:
        """Whether a worker of *role* may be split like *parallel*."""
        has = {
            "tp": parallel.tp, "pp": parallel.pp, "dp": parallel.dp, "moe_tp": parallel.moe_tp, "ep": parallel.moe_ep,
        }  # fmt: skip
        return self.allows(_MODE_OF[role]) and all(
            self.size(role, name) in {None, value} for name, value in has.items()
        )


FREE = Pins()
"""Nothing is decided."""


def parse(text: str) -> Pins:
    """The pins that *text* spells: `mode=MODE` and `[ROLE.]SIZE=NUMBER`, separated by commas.

    Naming the roles of one mode only pins the mode. Raises InvalidWorkload("pin", ...) for anything else.
    """
    mode: Mode | None = None
    sizes: list[Pin] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, _, value = (part.strip().lower() for part in word.partition("="))
        if name == "mode" and value in _MODES:
            mode = _MODES[value]
        else:
            sizes.append(_pin(word, name, value))
    named = {_MODE_OF[pin.role] for pin in sizes if pin.role}
    if mode and named - {mode}:
        raise InvalidWorkload("pin", repr(text), f"of one mode: {mode} plans have no {_other(sizes, mode)} workers")
    return Pins(mode=mode or (named.pop() if len(named) == 1 else None), sizes=tuple(sizes))


def of(estimate: Estimate) -> Pins:
    """Pins that leave nothing but the workers of *estimate*."""
    found = [
        Pin(size=size, value=value, role=worker.role)
        for worker in estimate.workers
        for size, value in (
            *_lengths(worker.parallel),
            ("workers", estimate.replicas * worker.count),
            ("batch", worker.batch_size),
        )
    ]
    return Pins(mode=estimate.mode, sizes=tuple(found))


def _lengths(parallel: Parallel) -> Iterator[tuple[str, int]]:
    """Every size of a split that says something: all but the groups that hold one GPU; the tensor size always."""
    sizes = (("pp", parallel.pp), ("dp", parallel.dp), ("moe_tp", parallel.moe_tp), ("ep", parallel.moe_ep))
    yield "tp", parallel.tp
    mixture = parallel.moe_tp * parallel.moe_ep > 1
    yield from ((name, value) for name, value in sizes if value > 1 or mixture)


def _pin(word: str, name: str, value: str) -> Pin:
    role, dot, size = name.rpartition(".")
    size = _SPELLED.get(size.replace("-", "_"), size.replace("-", "_"))
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= len(str(_LARGEST)) else 0
    if size not in SIZES or (dot and role not in ROLES) or not 1 <= number <= _LARGEST:
        raise InvalidWorkload("pin", repr(word[:60]), _ALLOWED)
    return Pin(size=size, value=number, role=ROLES[role] if dot else None)


def _other(sizes: Sequence[Pin], mode: Mode) -> str:
    return next(str(pin.role) for pin in sizes if pin.role and _MODE_OF[pin.role] != mode)
