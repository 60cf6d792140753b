"""The price list of one engine version on one system: seconds of any operation, and the evidence behind them."""

from collections.abc import Callable, Hashable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from estimator import ops, roofline
from estimator.backends import registry
from estimator.errors import MissingTable
from estimator.hardware import System
from estimator.ops import Array, ContextOp, DecodeOp, Op, TokenOp
from estimator.pricing import attention, collectives, exchanges, experts, latent, products, states
from estimator.pricing.ladder import Ladder, Mode
from estimator.pricing.sheets import Formula, Priced, Sheet
from perf_db.catalog import Catalog, PackName
from perf_db.provenance import Provenance

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """How one kind of operation is priced: rows of its own, a loan from a relative, a formula."""

    exact: Callable[[Ladder, Any], Sheet | None]
    transferred: Callable[[Ladder, Any], Sheet | None]
    formula: Callable[[System, Any], Formula]


def _never(_ladder: Ladder, _op: object) -> None:
    """Elementwise kernels and transfers were not measured one by one."""


def _memory(system: System, op: ops.MemoryOp) -> Formula:
    return Formula(light=lambda x: roofline.memory(system, op, x), typical=1.0)


def _transfer(system: System, op: ops.Transfer) -> Formula:
    return Formula(light=lambda x: roofline.transfer(system, op, x), typical=1.0)


_ATTENTION = _Family(exact=attention.exact, transferred=attention.transferred, formula=attention.formula)
_LATENT = _Family(exact=latent.exact, transferred=latent.transferred, formula=latent.formula)
_FAMILIES: Mapping[type, _Family] = {
    ops.Gemm: _Family(exact=products.exact, transferred=products.transferred, formula=products.formula),
    ops.LatentProduct: _Family(
        exact=products.latent_exact, transferred=products.latent_transferred, formula=products.latent_formula
    ),
    ops.ContextAttention: _ATTENTION,
    ops.DecodeAttention: _ATTENTION,
    ops.ContextLatent: _LATENT,
    ops.DecodeLatent: _LATENT,
    ops.SparseLatent: _Family(
        exact=latent.sparse_exact, transferred=latent.sparse_transferred, formula=latent.sparse_formula
    ),
    ops.ExpertProducts: _Family(exact=experts.exact, transferred=experts.transferred, formula=experts.formula),
    ops.Collective: _Family(exact=collectives.exact, transferred=collectives.transferred, formula=collectives.formula),
    ops.ExpertExchange: _Family(exact=exchanges.exact, transferred=exchanges.transferred, formula=exchanges.formula),
    ops.StateScan: _Family(exact=states.exact, transferred=states.transferred, formula=states.formula),
    ops.MemoryOp: _Family(exact=_never, transferred=_never, formula=_memory),
    ops.Transfer: _Family(exact=_never, transferred=_never, formula=_transfer),
}
_UNMEASURED = (ops.MemoryOp, ops.Transfer)


def light(system: System, op: Op, *at: Array) -> Array:
    """The speed of light of *op* on *system*, seconds; *at* as in the methods of Prices."""
    return _FAMILIES[type(op)].formula(system, op).light(*at)


class Prices:
    """Prices of one pack's engine, whose host is as measured runs taught where they did.

    mode: "measured" takes rows of this engine, its other versions and other engines, and refuses the rest;
    "hybrid" adds loans from relatives and formulas; "analytical" takes formulas alone. All methods raise MissingTable
    in mode "measured" for an operation without rows.
    """

    def __init__(self, catalog: Catalog, pack: PackName, system: System, *, mode: Mode = "hybrid") -> None:
        self.pack = pack
        self.engine = registry.engine(pack.backend, catalog.host(pack.backend))
        self.system = system
        self.mode = mode
        self._ladder = Ladder(catalog, pack, system, mode)
        self._sheets: dict[Op, Sheet] = {}
        self._remembered: dict[Hashable, object] = {}

    def with_host(self, constants: Mapping[str, float]) -> "Prices":
        """The same list, whose engine has these constants of its host instead; what was looked up is shared."""
        other = copy(self)
        other.engine = registry.engine(self.pack.backend, constants)
        return other

    def token_op(self, op: TokenOp, x: Array) -> Priced:
        """Seconds and classes of an operation whose cost depends on *x* tokens (over 0), any shape."""
        return self._priced(op, x)

    def context(self, op: ContextOp, prompts: Array, isl: Array) -> Priced:
        """Seconds and classes of one layer over whole prompts of *isl* tokens, no past; shapes broadcast."""
        return self._priced(op, prompts, isl)

    def decode(self, op: DecodeOp, sequences: Array, context: Array) -> Priced:
        """Seconds and classes of one layer for sequences of *context* cached tokens; shapes broadcast."""
        return self._priced(op, sequences, context)

    def knots(self, op: TokenOp) -> Array:
        """Token counts between which the price of *op* is a straight line; empty where it is a formula."""
        return self._sheet(op).knots

    def covers(self, op: Op) -> Provenance:
        """The best class that a price of *op* can have: that of the first rung which answers."""
        return self._sheet(op).floor

    def has_attention(self, arithmetic: str, kv_dtype: str, head_dim: int) -> bool:
        """Whether the engine's own prefill table has these types."""
        return attention.is_measured(self._ladder, arithmetic, kv_dtype, head_dim)

    def remembered(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What *make* made the first time; *key* says everything it depends on beside this price list."""
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]  # type: ignore[return-value]  # what was put there under this key

    def _priced(self, op: Op, *at: Array) -> Priced:
        asked = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in at))
        shape = asked[0].shape
        seconds, classes = self._sheet(op).price(*(one.ravel() for one in asked))
        return seconds.reshape(shape), classes.reshape(shape)

    def _sheet(self, op: Op) -> Sheet:
        if op not in self._sheets:
            self._sheets[op] = self._found(op)
        return self._sheets[op]

    def _found(self, op: Op) -> Sheet:
        family = _FAMILIES[type(op)]
        formula = family.formula(self.system, op)
        if self.mode == "analytical" or isinstance(op, _UNMEASURED):
            return formula
        exact = family.exact(self._ladder, op)
        if exact is not None:
            return exact
        if self.mode == "measured":
            raise MissingTable(type(op).__name__, f"{self.pack} and its relatives on this GPU have no rows for {op}")
        return family.transferred(self._ladder, op) or formula
