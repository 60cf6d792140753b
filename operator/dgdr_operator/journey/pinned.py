"""What follows from the parts of a plan that a request has decided itself: what cannot be, and what they cost."""

from contextlib import suppress
from dataclasses import replace

from dgdr_operator.errors import Unsupported
from dgdr_operator.journey.questions import AGGREGATED, BOTH, Question
from estimator.errors import EstimatorError
from estimator.estimates import Estimate, Infeasible
from estimator.pins import FREE


def check_apart(question: Question, why: str) -> None:
    """Raises Unsupported for a request that insists on workers that run apart, which *why* forbids."""
    if question.request.policy.pins.mode == "disaggregated":
        raise Unsupported("pin mode=disaggregated", why)


def note(question: Question, choice: Estimate, bandwidth: float | None) -> str:
    """What would have been chosen without pins; "" where there are none.

    bandwidth: bytes per second between workers that run apart, None if they may not.
    """
    pins = question.request.policy.pins
    if not pins:
        return ""
    said = f"pinned by the request: {pins}"
    free = replace(question, problems=tuple(replace(one, pins=FREE) for one in question.problems))
    try:
        other = free.ask(AGGREGATED if bandwidth is None else BOTH, bandwidth).choice
    except EstimatorError:
        return f"{said}; without that nothing would keep the promises"
    if str(other) == str(choice) and other.backend == choice.backend:
        return f"{said}; it would be chosen without that, too"
    better = f"{other.tokens_per_second_per_gpu:.4g} instead of {choice.tokens_per_second_per_gpu:.4g} tokens/s/GPU"
    return f"{said}; without that it would be {other.backend} {other}, {better}"


NO_LAUNCHER = "the cluster serves neither Grove (grove.io) nor LeaderWorkerSet (leaderworkerset.x-k8s.io)"


def nodes_note(question: Question) -> list[str]:
    """What is left out where nothing starts workers of several nodes."""
    spread = question.problems[0].gpus > question.node_gpus
    if question.settings.several_nodes != "refuse" or not spread:
        return []
    return [f"workers of several nodes are left out: {NO_LAUNCHER}"]


def check_nodes(question: Question, refused: Infeasible) -> None:
    """Raises Unsupported where only workers of several nodes would do, which nothing starts."""
    if question.settings.several_nodes != "refuse" or question.problems[0].gpus <= question.node_gpus:
        return
    wide = replace(question, problems=tuple(replace(one, widest=None) for one in question.problems))
    with suppress(EstimatorError):
        wide.ask(AGGREGATED, None, advise=False)
        raise Unsupported("workers of several nodes", f"{NO_LAUNCHER}, and without them {_short(refused)}")


def _short(refused: Infeasible) -> str:
    return "no worker holds the model" if refused.binding == "memory" else f"{refused.binding} is out of reach"
