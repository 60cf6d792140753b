"""The files about a search that lie beside a plan in the cluster: the page, the frontier, the text."""

from dgdr_operator.report import answer, artifacts, page
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from estimator.estimates import Outcome

_WIDTH = 100
"""Columns of the text."""


def files(asked: Asked, outcome: Outcome) -> dict[str, str]:
    """Name and content of each file; equal answers give equal files."""
    return {
        "report.html": page.html(asked, outcome),
        "report.txt": answer.page(asked, outcome, Paper(width=_WIDTH)),
        "frontier.csv": artifacts.table(outcome.frontier),
    }
