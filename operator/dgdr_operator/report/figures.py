"""Numbers as a person reads them: SI values in, short strings with fixed units out."""

from collections.abc import Callable
from math import floor

from dgdr_operator.units import GIBIBYTE, MILLISECOND
from estimator.estimates import Ends, Estimate, Worker
from estimator.parallelism import Parallel

MISSING = "-"
# Decimals of a number below each limit: about four digits.
_DECIMALS = ((100, 2), (1000, 1), (10_000, 0))
_TRACE = 0.005
_DUST = 1e-9
"""What binary fractions lack of decimal ones."""


def milliseconds(seconds: float | None) -> float | None:
    """*seconds* in milliseconds; None stays None."""
    return None if seconds is None else seconds / MILLISECOND


def ms(seconds: float | None) -> str:
    """*seconds* in milliseconds to about four digits; a dash for None."""
    value = milliseconds(seconds)
    return MISSING if value is None else plain(value)


def plain(value: float) -> str:
    """A positive number to about four digits, thousands grouped from ten thousand on."""
    decimals = next((digits for limit, digits in _DECIMALS if value < limit), None)
    return f"{value:,.0f}" if decimals is None else f"{value:.{decimals}f}"


def short(value: float) -> str:
    """A number the user gave, as the user would write it: 600, 16.67."""
    return f"{value:.10g}"


def gib(size: float) -> str:
    """*size* bytes in GiB, one decimal."""
    return f"{size / GIBIBYTE:.1f}"


def percent(share: float) -> str:
    """A share of one as a whole percentage; a trace is never shown as nothing."""
    return "<1 %" if 0 < share < _TRACE else f"{share:.0%}".replace("%", " %")


def odds(estimate: Estimate) -> str:
    """The probability that the targets are kept; a dash where it is not known."""
    return MISSING if estimate.trust is None else probability(estimate.trust.probability)


def probability(value: float) -> str:
    """A probability to two decimals, never more than it is."""
    return f"{floor(100 * value + _DUST) / 100:.2f}"


def between(ends: Ends | None, show: Callable[[float], str]) -> str:
    """An interval in words, such as "90 % between 9.2 and 17.5"; "" for none."""
    return "" if ends is None else f"90 % between {show(ends[0])} and {show(ends[1])}"


def split(parallel: Parallel) -> str:
    """How one worker is split, groups of one left out, except that a single GPU reads tp1."""
    sizes = {"tp": parallel.tp, "pp": parallel.pp, "dp": parallel.dp, "cp": parallel.cp}
    sizes |= {"mtp": parallel.moe_tp, "ep": parallel.moe_ep}
    return "".join(f"{name}{size}" for name, size in sizes.items() if size > 1 or name == "tp")


def workers(worker: Worker) -> str:
    """A group of equal workers in one short word: 2xtp4."""
    return f"{worker.count}x{split(worker.parallel)}"


def configuration(estimate: Estimate) -> str:
    """A deployment in a few words: agg tp2 x4, disagg 2p:tp2+1d:tp4 x1."""
    if estimate.mode == "aggregated":
        return f"agg {split(estimate.workers[0].parallel)} x{estimate.replicas}"
    parts = "+".join(f"{worker.count}{worker.role[0]}:{split(worker.parallel)}" for worker in estimate.workers)
    return f"disagg {parts} x{estimate.replicas}"


def memory(estimate: Estimate) -> float:
    """Bytes that the fullest GPU of the deployment holds."""
    return max(worker.memory.used for worker in estimate.workers)
