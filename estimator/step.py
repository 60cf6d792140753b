"""Seconds of one iteration of a worker: prompt tokens, decoding sequences, and the time the host adds.

Between measured points every price is a straight line, so the sum over a step's operations is one as well: a worker
is a handful of piecewise linear curves, evaluated for all loads at once.
"""

from bisect import bisect_left
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
        self._parts = {phase: self._priced_parts(phase) for phase in _PHASES}
        self._prompt_tokens = self._sum("prefill", "token", "transfer")
        self._decode_tokens = self._sum("decode", "token", "transfer")
        self._head = self._sum("decode", "head")
        self._decode_attention = self._sum("decode", "decode_attention")
        self._prompts = self._sum("prefill", "context_attention")

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
        """Seconds of an iteration with *tokens* (over 0) of prompts beside decoding *sequences*; shapes broadcast."""
        prompts = tokens / self._workload.new_tokens
        decoding = np.where(np.asarray(sequences) > 0, self._decode_attention(sequences), 0.0)
        gpu = self._prompt_tokens(tokens + sequences) + self._head(prompts + sequences) + decoding
        return gpu + self._prompts(prompts) + self.shape.engine.host.per_prompt_layer * self.shape.model.layers

    def breakdown(self, phase: Phase, tokens: float, sequences: float) -> tuple[OpTime, ...]:
        """Where the time of such an iteration goes, operation by operation, all layers together."""
        prompts = tokens / self._workload.new_tokens
        at = {"token": tokens + sequences, "transfer": tokens + sequences, "head": prompts + sequences}
        at |= {"decode_attention": sequences, "context_attention": prompts}
        rows = [part.at(phase, max(at[part.role], 1.0)) for part in self._parts[phase] if at[part.role] > 0]
        return tuple(row for row in rows if row.seconds > 0)

    def _priced_parts(self, phase: Phase) -> "tuple[_Part, ...]":
        """Every operation priced once, however often and under how many names a layer runs it."""
        shape = self.shape
        placed = operations(shape.model, shape.parallel, shape.dtypes, phase)
        return tuple(self._part(one) for one in placed)

    def _part(self, placed: Placed) -> "_Part":
        """One operation as a curve over what its cost depends on, all its repetitions together."""
        match placed.op:
            case DecodeAttention() as op:
                x = _BATCH_KNOTS
                grid, classes = self._prices.decode_attention(op, x[:, None], self._contexts[None, :])
                seconds, provenance = grid.mean(axis=1), classes.max(axis=1)
            case ContextAttention() as op:
                x = np.append(0.0, _PROMPT_KNOTS)
                seconds, provenance = self._whole_prompts(op)
            case op:
                knots = _BATCH_KNOTS if placed.role == "head" else _TOKEN_KNOTS
                x = np.unique(np.concatenate([knots, self._prices.knots(op)]))
                x = x[x >= 1]
                seconds, provenance = self._prices.token_op(op, x)
        line = Line(x=x, y=placed.count * seconds)
        points = (line.x.tolist(), line.y.tolist())
        return _Part(name=placed.name, role=placed.role, line=line, knots=points, classes=provenance.tolist())

    def _whole_prompts(self, op: ContextAttention) -> Priced:
        """One layer's attention of 0, 1, 2, 4, ... whole prompts; a part of a prompt costs its share, because the
        chunks of a prompt telescope to the whole. A cached prefix saves the part of the triangle that it covers."""
        isl, prefix = self._workload.isl, self._workload.prefix
        seconds, classes = self._prices.context_attention(op, _PROMPT_KNOTS, np.asarray(float(isl)))
        left = 1 - (prefix / isl) ** 2
        return np.append(0.0, seconds * left), np.append(classes[:1], classes)

    def _sum(self, phase: Phase, *roles: str) -> Line:
        """One curve for all operations of these roles; its knots are those of every part, so nothing is rounded off."""
        lines = [part.line for part in self._parts[phase] if part.role in roles]
        x = np.unique(np.concatenate([line.x for line in lines]))
        return Line(x=x, y=sum((line(x) for line in lines), np.zeros_like(x)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One operation of a step: seconds along what its cost depends on, and the evidence at each knot."""

    name: str
    role: str
    line: Line
    knots: tuple[list[float], list[float]]
    classes: list[int]

    def at(self, phase: Phase, x: float) -> OpTime:
        """Its time at *x*; between two knots the weaker evidence of both counts, and it is interpolated at best.

        Plain Python on purpose: a record asks for one point of some thirty curves, where numpy's overhead dominates.
        """
        knots, times = self.knots
        right = min(bisect_left(knots, x), len(knots) - 1)
        left = max(right - 1, 0)
        word, seconds = int(self.classes[right]), times[right]
        if knots[left] < x < knots[right]:
            share = (x - knots[left]) / (knots[right] - knots[left])
            seconds = times[left] + share * (times[right] - times[left])
            word = max(word, int(self.classes[left]), Provenance.INTERPOLATED)
        return OpTime(phase=phase, name=self.name, seconds=seconds, provenance=_WORDS[word])


_WORDS = [provenance.word for provenance in Provenance]
_PHASES: tuple[Phase, ...] = ("prefill", "decode")
