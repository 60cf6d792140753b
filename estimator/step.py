"""Seconds of one iteration of a worker: prompt tokens, decoding sequences, and the time the host adds.

Between measured points every price is a straight line, so the sum over a step's operations is one as well: a worker
is a handful of piecewise linear curves, evaluated for all loads at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimator.backends.engine import Engine
from estimator.estimates import OpTime
from estimator.layers import Phase, operations
from estimator.model import Model
from estimator.ops import Array, ContextAttention, DecodeAttention, Placed
from estimator.parallelism import Parallel
from estimator.pricing import Priced, Prices
from estimator.quantization import Dtypes
from estimator.workload import Workload
from perf_db.provenance import Provenance

_TOKEN_KNOTS = np.unique(np.concatenate([2.0 ** np.arange(19), 3 * 2.0 ** np.arange(16)]))
_BATCH_KNOTS = np.unique(np.concatenate([np.arange(1, 33), 2.0 ** np.arange(5, 13), 3 * 2.0 ** np.arange(4, 11)]))
_PROMPT_KNOTS = np.concatenate([[1.0], 2.0 ** np.arange(1, 15)])
_CONTEXT_POINTS = 8
"""Lengths at which a growing context is sampled; attention is linear between measured lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A piecewise linear curve, constant below its first knot."""

    x: Array
    y: Array

    def __call__(self, x: Array) -> Array:
        """Values at *x*, any shape."""
        return np.interp(x, self.x, self.y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a worker is: the model, how it is split, its data types and its engine."""

    model: Model
    parallel: Parallel
    dtypes: Dtypes
    engine: Engine


class Step:
    """The iterations of one worker under one workload.

    Decoding sequences are spread evenly over their life: contexts from isl to isl + osl tokens.
    """

    def __init__(self, shape: Shape, prices: Prices, workload: Workload) -> None:
        self.shape = shape
        self._prices = prices
        self._workload = workload
        self._contexts = workload.isl + workload.osl * (np.arange(_CONTEXT_POINTS) + 0.5) / _CONTEXT_POINTS
        self._ops = {phase: operations(shape.model, shape.parallel, shape.dtypes, phase) for phase in _PHASES}
        self._prompt_tokens = self._token_line("prefill")
        self._decode_tokens = self._token_line("decode")
        self._head = self._head_line()
        self._decode_attention = self._attention_line()
        self._prompts = self._prompt_line()

    def decode(self, sequences: Array) -> Array:
        """Seconds of an iteration that only decodes *sequences* (a mean, so fractions are welcome), any shape.

        With pipeline stages the batch is cut into as many parts as can be in flight; the bubble is what is left.
        """
        stages = self.shape.parallel.pp
        parts = np.clip(sequences, 1, stages)
        each = sequences / parts
        gpu = self._decode_tokens(each) + self._head(each) + self._decode_attention(each)
        return np.maximum(gpu, self.shape.engine.host.per_decode_step) * (parts + stages - 1) / stages

    def mixed(self, tokens: Array, sequences: Array) -> Array:
        """Seconds of an iteration with *tokens* of prompts (more than 0) beside *sequences* that decode; shapes broadcast."""
        prompts = tokens / self._workload.new_tokens
        decoding = np.where(np.asarray(sequences) > 0, self._decode_attention(sequences), 0.0)
        gpu = self._prompt_tokens(tokens + sequences) + self._head(prompts + sequences) + decoding
        return gpu + self._prompts(prompts) + self.shape.engine.host.per_prompt_layer * self.shape.model.layers

    def breakdown(self, phase: Phase, tokens: float, sequences: float) -> tuple[OpTime, ...]:
        """Where the time of such an iteration goes, operation by operation, all layers together."""
        rows = []
        for placed in self._ops[phase]:
            seconds, provenance = self._price(placed, tokens, sequences)
            word = Provenance(int(provenance)).word
            rows.append(OpTime(phase=phase, name=placed.name, seconds=seconds * placed.count, provenance=word))
        return tuple(row for row in rows if row.seconds > 0)

    def _price(self, placed: Placed, tokens: float, sequences: float) -> tuple[float, int]:
        prompts = tokens / self._workload.new_tokens
        match placed.op:
            case DecodeAttention() as op:
                if not sequences:
                    return 0.0, 0
                seconds, provenance = self._prices.decode_attention(op, np.asarray(max(sequences, 1.0)), self._contexts)
                return float(seconds.mean()), int(provenance.max())
            case ContextAttention() as op:
                seconds, provenance = self._whole_prompts(op, np.asarray(max(prompts, 1.0)))
                return float(seconds) * min(prompts, 1.0), int(provenance)
            case op:
                x = prompts + sequences if placed.role == "head" else tokens + sequences
                seconds, provenance = self._prices.token_op(op, np.asarray(max(x, 1.0)))
                return float(seconds), int(provenance)

    def _token_line(self, phase: Phase) -> Line:
        chosen = [placed for placed in self._ops[phase] if placed.role in {"token", "transfer"}]
        return self._sum(chosen, _TOKEN_KNOTS)

    def _head_line(self) -> Line:
        return self._sum([placed for placed in self._ops["decode"] if placed.role == "head"], _BATCH_KNOTS)

    def _sum(self, chosen: Sequence[Placed], knots: Array) -> Line:
        """One curve for all of *chosen*; its knots are those of every part, so nothing is rounded off."""
        measured = [self._prices.knots(placed.op) for placed in chosen]  # type: ignore[arg-type]  # token roles only
        x = np.unique(np.concatenate([knots, *measured]))
        x = x[x >= 1]
        total = np.zeros_like(x)
        for op, count in _merged(chosen).items():
            total += count * self._prices.token_op(op, x)[0]  # type: ignore[arg-type]  # token roles only
        return Line(x=x, y=total)

    def _attention_line(self) -> Line:
        placed = self._only(DecodeAttention, "decode")
        op = placed.op
        assert isinstance(op, DecodeAttention)  # noqa: S101  # _only chose it by type
        seconds, _ = self._prices.decode_attention(op, _BATCH_KNOTS[:, None], self._contexts[None, :])
        return Line(x=_BATCH_KNOTS, y=placed.count * seconds.mean(axis=1))

    def _prompt_line(self) -> Line:
        """Attention of a number of prompts; parts of a prompt cost their share, as chunks telescope to the whole."""
        placed = self._only(ContextAttention, "prefill")
        op = placed.op
        assert isinstance(op, ContextAttention)  # noqa: S101  # _only chose it by type
        seconds, _ = self._whole_prompts(op, _PROMPT_KNOTS)
        return Line(x=np.append(0.0, _PROMPT_KNOTS), y=np.append(0.0, placed.count * seconds))

    def _whole_prompts(self, op: ContextAttention, prompts: Array) -> Priced:
        """One layer's attention of whole prompts; a cached prefix saves the part of the triangle that it covers."""
        isl, prefix = self._workload.isl, self._workload.prefix
        seconds, provenance = self._prices.context_attention(op, prompts, np.asarray(float(isl)))
        return seconds * (1 - (prefix / isl) ** 2), provenance

    def _only(self, kind: type, phase: Phase) -> Placed:
        return next(placed for placed in self._ops[phase] if isinstance(placed.op, kind))


_PHASES: tuple[Phase, ...] = ("prefill", "decode")


def _merged(chosen: Sequence[Placed]) -> dict[object, int]:
    """Equal operations counted together: two norms of a layer are priced once."""
    counts: dict[object, int] = {}
    for placed in chosen:
        counts[placed.op] = counts.get(placed.op, 0) + placed.count
    return counts
