"""Requests of equal lengths on an engine whose prompts pause decoding: they start together and stay together.

Nobody decodes while a prompt is computed, so all requests in flight give their next token in the same iterations, end
in the same one, and are replaced at once: the steady state is a wave. Engines that decode beside prompts spread the
requests out instead: the first prompt of a wave decodes, and ends, before the last.
"""

from dataclasses import dataclass

import numpy as np

from estimator.ops import Array
from estimator.step import Step
from estimator.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One wave per load, arrays of shape (n,), seconds: of an iteration as a request sees it between its tokens, until
    the mean prompt is computed (prefill: its own part of that), and the requests per second that follow."""

    iteration: Array
    first: Array
    prefill: Array
    rate: Array
    busy: Array


def wave(step: Step, workload: Workload, requests: Array, budget: Array) -> Wave:
    """The wave of *requests* per rank whose prompts run as many at once as *budget* tokens hold; osl above 1."""
    together = np.clip(np.floor(budget / workload.new_tokens), 1, requests)
    one = _prompts(step, workload, together, budget)
    full = np.floor(requests / together)
    left = requests - full * together
    rest = np.where(left > 0, _prompts(step, workload, np.maximum(left, 1), budget), 0.0)
    filled = full * one + rest
    # The batches of prompts end one after the other; each of their requests waits for those before it.
    first = (together * one * full * (full + 1) / 2 + left * filled) / requests
    decodes = workload.iterations
    iteration = step.decode(requests) + (filled - first) / decodes
    whole = filled + step.decode(requests) * decodes
    return Wave(iteration=iteration, first=first, prefill=one, rate=requests / whole, busy=filled / whole)


def _prompts(step: Step, workload: Workload, several: Array, budget: Array) -> Array:
    """Seconds of *several* prompts that run together, in chunks where one alone exceeds the budget."""
    tokens = several * workload.new_tokens
    chunks = np.ceil(tokens / np.maximum(budget, 1))
    return chunks * step.mixed(tokens / chunks, np.zeros_like(tokens))
