"""What the estimator's processes may answer about a request; small values that cross process borders."""

from dataclasses import dataclass
from typing import Literal

from dgdr_operator.planned import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """No answer yet, for *seconds* so far, one of *line* that wait for one; the key rings when there is one."""

    seconds: float
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """There is no plan.

    why: invalid (the request is malformed), infeasible, unsupported, crashed, timed-out; message: for people;
    feasible: reason of the condition Feasible, where the search ran.
    """

    why: Literal["invalid", "infeasible", "unsupported", "crashed", "timed-out"]
    message: str
    feasible: str | None = None


Answer = Planned | Working | Refused
