"""What follows from the parts of a plan that a request has decided itself: what cannot be, and what they cost."""

from dataclasses import replace

from dgdr_operator.errors import Unsupported
from dgdr_operator.journey.questions import AGGREGATED, BOTH, Question
from estimator.errors import EstimatorError
from estimator.estimates import Estimate
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
