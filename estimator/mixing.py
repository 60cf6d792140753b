"""How prompts share the iterations of a worker with the sequences that decode there, by the engine's policy."""

import numpy as np

from estimator.ops import Array
from estimator.step import Step
from estimator.workload import Workload


def iteration(
    step: Step, workload: Workload, sequences: Array, budget: Array, others: Array
) -> tuple[Array, Array, Array]:
    """Mean seconds per iteration, a prompt's own service time, and the worker's time that a prompt takes."""
    new = workload.new_tokens
    arriving = others * sequences / max(workload.iterations, 1)
    several = _company(arriving)
    if step.shape.engine.policy == "prompt_only":
        service, taken = _alone(step, new, np.minimum(several, np.maximum(budget / new, 1)), budget)
        return step.decode(sequences) + arriving * taken, service, taken
    room, chunks = _room(step, new, sequences, budget)
    chunk = new / chunks
    usual = np.where(chunks > 1, chunk, several * new)
    together = np.minimum(np.maximum(usual, arriving * new), room)
    share = np.minimum(1, np.minimum(arriving * new, room) / together)
    mixed = step.mixed(together, sequences)
    seconds = (1 - share) * step.decode(sequences) + share * mixed
    service = np.where(chunks > 1, chunks * step.mixed(chunk, sequences), mixed)
    return seconds, service, mixed * new / together


def _company(arriving: Array) -> Array:
    """Prompts in a step that has any, when *arriving* come per iteration on average: the mean of a Poisson count
    that is not zero."""
    mean = np.maximum(arriving, 1e-9)
    return np.maximum(mean / -np.expm1(-mean), 1)


def _alone(step: Step, new: int, several: Array, budget: Array) -> tuple[Array, Array]:
    """A prompt's service time and its share of the worker's where prompts run without decodes, *several* at once;
    a prompt longer than the budget runs in chunks of its own."""
    nothing = np.zeros_like(budget)
    chunks = np.ceil(new / budget)
    chunked = chunks * step.mixed(new / chunks, nothing)
    together = step.mixed(np.minimum(several * new, np.maximum(budget, new)), nothing)
    return np.where(chunks > 1, chunked, together), np.where(chunks > 1, chunked, together / several)


def in_a_crowd(step: Step, workload: Workload, sequences: Array, budget: Array) -> Array:
    """Seconds of the worker that a prompt takes while prompts fill every step and half the others decode already."""
    if step.shape.engine.policy == "prompt_only":
        return step.mixed(budget, np.zeros_like(budget)) * workload.new_tokens / budget
    room, _ = _room(step, workload.new_tokens, sequences / 2, budget)
    return step.mixed(room, sequences / 2) * workload.new_tokens / room


def _room(step: Step, new: int, sequences: Array, budget: Array) -> tuple[Array, Array]:
    """Prompt tokens that fit beside the decodes, and the steps that one prompt takes."""
    left = np.maximum(budget - sequences * (1 + step.drafts), 1)
    if step.shape.engine.policy == "whole_prompts":
        return np.maximum(np.floor(left / new), 1) * new, np.ones_like(left)
    return left, np.ceil(new / left)
