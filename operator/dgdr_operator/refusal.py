"""One line that says why nothing fits, with numbers and with what would; the same in a status and on a terminal."""

from dgdr_operator.request import DeploymentRequest
from estimator.estimates import Infeasible


def line(request: DeploymentRequest, report: Infeasible) -> str:
    """The refusal of *request*, at most 1024 characters, times in milliseconds.

    infeasible: <asked> on <=<N>x<sku>; best ttft=... best itl=... best throughput=...; binding=...; nearest: ...
    """
    raise NotImplementedError
