"""The journey itself: one request, the nodes and the measurements in; a plan with the objects to create out."""

from dgdr_operator.journey.digest import input_hash, question_hash
from dgdr_operator.journey.placing import sight
from dgdr_operator.journey.planning import Plan, Shortfall, Solution, named, plan, solve
from dgdr_operator.journey.transport import FabricVerdict

__all__ = [
    "FabricVerdict", "Plan", "Shortfall", "Solution", "input_hash", "named", "plan", "question_hash", "sight", "solve",
]  # fmt: skip
