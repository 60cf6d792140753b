"""What can go wrong while estimating, as one tree.

* EstimatorError
  x UnsupportedModel       -- the configuration describes a model we cannot price
  x InvalidModelConfig     -- a configuration file is missing a field or contradicts itself
  x InvalidWorkload        -- the question itself is impossible (isl of 0, osl of 0, prefix beyond isl)
  x MissingTable           -- no measurement and no fallback for an operation
  x NoFeasibleCandidate    -- the search ran; every candidate was ruled out

Every error keeps its own arguments, so it survives pickling between processes.
"""

from estimator.estimates import Infeasible


class EstimatorError(Exception):
    """Anything the estimator refuses to answer."""


class UnsupportedModel(EstimatorError):
    """The model cannot be priced; *problem* says why, *nearest* names choices that work."""

    def __init__(self, model: str, problem: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(model, problem, nearest)
        self.model = model
        self.problem = problem
        self.nearest = nearest

    def __str__(self) -> str:
        hint = f"; nearest: {', '.join(self.nearest)}" if self.nearest else ""
        return f"model {self.model!r}: {self.problem}{hint}"


class InvalidModelConfig(EstimatorError):
    """A model's configuration lacks *field*, or its value makes no sense."""

    def __init__(self, model: str, field: str, problem: str) -> None:
        super().__init__(model, field, problem)
        self.model = model
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"config of {self.model!r}: {self.field} {self.problem}"


class InvalidWorkload(EstimatorError):
    """The workload or a target is impossible; *field* uses the request's own words."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field} must be {self.allowed}, not {self.value}"


class MissingTable(EstimatorError):
    """No measurement of *operation* exists for this system, engine and data type."""

    def __init__(self, operation: str, detail: str) -> None:
        super().__init__(operation, detail)
        self.operation = operation
        self.detail = detail

    def __str__(self) -> str:
        return f"no measurement of {self.operation}: {self.detail}"


class NoFeasibleCandidate(EstimatorError):
    """No candidate met the request; *report* has the counts, the best reachable values and the nearest point."""

    def __init__(self, report: Infeasible) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        reasons = sorted(self.report.rejections.items(), key=lambda item: -item[1])
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons)
        return f"none of {sum(self.report.rejections.values())} candidates is feasible: {counts}"
