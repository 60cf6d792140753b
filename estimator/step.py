"""Seconds of one iteration of a worker: prompt tokens, decoding sequences, and the time the host adds.

Between measured points every price is a straight line, so the sum over a step's operations is one as well: a worker
is a handful of piecewise linear curves, evaluated for all loads at once.
"""

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from estimator.curves import Line, Part, total
from estimator.estimates import DOUBTFUL, Evidence, OpTime, evidence
from estimator.layers.model import operations
from estimator.layers.parts import Phase
from estimator.ops import Array, MemoryOp, Placed
from estimator.pricing import Priced, Prices
from estimator.shape import Shape
from estimator.workload import Workload

TOKEN_KNOTS = np.unique(np.concatenate([2.0 ** np.arange(19), 3 * 2.0 ** np.arange(16)]))
BATCH_KNOTS = np.unique(np.concatenate([np.arange(1, 33), 2.0 ** np.arange(5, 13), 3 * 2.0 ** np.arange(4, 11)]))
PROMPT_KNOTS = np.concatenate([[1.0], 2.0 ** np.arange(1, 15)])
_CONTEXT_POINTS = 8
"""Lengths at which a growing context is sampled; attention is linear between measured lengths."""
_USUAL_BATCH = 16.0
"""Sequences at which a worker's evidence is weighed before its load is known."""
_PHASES: tuple[Phase, ...] = ("prefill", "decode")
_DRAFT_SECONDS = 0.3e-3
"""Host time per drafted token: sampling and its bookkeeping (assumption, always shown in the breakdown)."""


class Step:
    """The iterations of one worker under one workload.

    Decoding sequences are spread evenly over their life: contexts from isl to isl + osl tokens. With drafted tokens
    each sequence brings 1 + drafts of them to every decode iteration; one pass over its cache serves them all.
    """

    def __init__(self, shape: Shape, prices: Prices, workload: Workload) -> None:
        self.shape = shape
        self._prices = prices
        self._workload = workload
        self._contexts = workload.isl + workload.osl * (np.arange(_CONTEXT_POINTS) + 0.5) / _CONTEXT_POINTS
        self.drafts = workload.drafts
        self._width = 1 + workload.drafts
        self._parts = {phase: self._priced(operations(shape, phase)) for phase in _PHASES}
        self._deepened = (shape.model.layers + workload.drafts) / shape.model.layers
        self._prompt = {role: self._sum("prefill", role) for role in ("token", "prompt_token", "context")}
        self._decode = {role: self._sum("decode", role) for role in ("token", "sequence", "decode", "head")}
        self._beside = [self._sum("decode", "token", beside) for beside in ("routed", "shared")]

    def decode(self, sequences: Array) -> Array:
        """Seconds of an iteration that only decodes *sequences* per rank (a mean, so fractions are welcome), any shape.

        With pipeline stages the batch is cut into as many parts as can be in flight; the bubble is what is left.
        """
        stages = self.shape.parallel.pp
        parts = np.clip(sequences, 1, stages)
        each = sequences / parts
        tokens = each * self._width
        layers = self._decode["token"](tokens) + self._decode["sequence"](tokens) + self._decode["decode"](each)
        layers = layers + np.maximum(self._beside[0](tokens), self._beside[1](tokens))
        gpu = layers * self._deepened + self._decode["head"](tokens) + self._workload.drafts * _DRAFT_SECONDS
        host = self.shape.engine.host
        return np.maximum(gpu, host.per_decode_step) * (parts + stages - 1) / stages + host.between_steps

    def mixed(self, tokens: Array, sequences: Array) -> Array:
        """Seconds of an iteration with *tokens* (over 0) of prompts beside decoding *sequences*; shapes broadcast."""
        prompts = tokens / self._workload.new_tokens
        drafted = np.asarray(sequences) * self._width
        beside = np.where(drafted > 0, self._decode["decode"](sequences) + self._decode["sequence"](drafted), 0.0)
        gpu = self._prompt["token"](tokens + drafted) + self._prompt["prompt_token"](tokens) + beside
        gpu = gpu + self._decode["head"](prompts + drafted) + self._prompt["context"](prompts)
        host = self.shape.engine.host
        return gpu + host.per_prompt_layer * self.shape.model.layers + host.between_steps

    def breakdown(self, phase: Phase, tokens: float, sequences: float) -> tuple[OpTime, ...]:
        """Where the time of such an iteration goes, operation by operation, all layers together."""
        prompts, drafted = tokens / self._workload.new_tokens, sequences * self._width
        at = {"token": tokens + drafted, "head": prompts + drafted, "prompt_token": tokens, "sequence": drafted}
        at |= {"decode": sequences, "context": prompts}
        rows = [part.at(phase, max(at[part.role], 1.0)) for part in self._parts[phase] if at[part.role] > 0]
        return tuple(row for row in rows if row.seconds > 0)

    @cached_property
    def evidence(self) -> Evidence:
        """What a request's time rests on: its prompt alone, then a usual batch."""
        if not any(part.doubtful for phase in _PHASES for part in self._parts[phase]):
            return "measured"
        workload, shares = self._workload, dict.fromkeys(DOUBTFUL, 0.0)
        weighed = [(part, 1.0) for part in self.breakdown("prefill", float(workload.new_tokens), 0.0)]
        weighed += [(part, workload.iterations) for part in self.breakdown("decode", 0.0, _USUAL_BATCH)]
        total_seconds = sum(part.seconds * weight for part, weight in weighed)
        for part, weight in weighed:
            if part.provenance in shares:
                shares[part.provenance] += part.seconds * weight / total_seconds
        return evidence(shares)

    def _sum(self, phase: Phase, role: str, beside: str = "") -> Line:
        return total(part.line for part in self._parts[phase] if (part.role, part.beside) == (role, beside))

    def _priced(self, placed: Iterable[Placed]) -> tuple[Part, ...]:
        """Every operation as a curve over what its cost depends on, all its repetitions together."""
        return tuple(self._part(one) for one in placed)

    def _part(self, placed: Placed) -> Part:
        x, (seconds, classes) = self._prices.remembered(self._key(placed), lambda: self._curve(placed))
        line = Line(x=x, y=placed.count * seconds)
        return Part(
            name=placed.name,
            role=placed.role,
            beside=placed.beside,
            line=line,
            classes=classes,
            elementwise=isinstance(placed.op, MemoryOp),
        )

    def _key(self, placed: Placed) -> tuple[object, ...]:
        """What the curve depends on beside the price list."""
        if placed.role in {"decode", "context"}:
            return (placed.op, placed.role, self._workload.isl, self._workload.osl, self._workload.prefix)
        return (placed.op, placed.role, placed.scale)

    def _curve(self, placed: Placed) -> tuple[Array, Priced]:
        match placed.role:
            case "decode":
                return BATCH_KNOTS, self._over_contexts(placed)
            case "context":
                return np.append(0.0, PROMPT_KNOTS), self._whole_prompts(placed)
            case "head" | "sequence":
                return self._tokens(placed, BATCH_KNOTS)
            case _:
                return self._tokens(placed, TOKEN_KNOTS)

    def _tokens(self, placed: Placed, knots: Array) -> tuple[Array, Priced]:
        """Along tokens of one attention rank; the knots are those of the table, so nothing is rounded off."""
        op = placed.op
        x = np.unique(np.concatenate([knots, self._prices.knots(op) / placed.scale]))  # type: ignore[arg-type]  # by role
        x = x[x >= 1]
        seen = np.maximum(x * placed.scale, 1.0)
        return x, self._prices.token_op(op, seen)  # type: ignore[arg-type]  # by role

    def _over_contexts(self, placed: Placed) -> Priced:
        seconds, classes = self._prices.decode(placed.op, BATCH_KNOTS[:, None], self._contexts[None, :])  # type: ignore[arg-type]  # by role
        return seconds.mean(axis=1), classes.max(axis=1)

    def _whole_prompts(self, placed: Placed) -> Priced:
        """0, 1, 2, 4, ... whole prompts; a part of a prompt costs its share, because the chunks of a prompt telescope
        to the whole. A cached prefix saves the part of the triangle that it covers."""
        isl, prefix = self._workload.isl, self._workload.prefix
        seconds, classes = self._prices.context(placed.op, PROMPT_KNOTS, np.asarray(float(isl)))  # type: ignore[arg-type]  # by role
        left = 1 - (prefix / isl) ** 2
        return np.append(0.0, seconds * left), np.append(classes[:1], classes)
