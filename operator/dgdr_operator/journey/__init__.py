"""The journey itself: one request, the nodes and the measurements in; a plan with the objects to create out."""

from dgdr_operator.journey.digest import input_hash
from dgdr_operator.journey.planning import Plan, plan
from dgdr_operator.journey.transport import FabricVerdict

__all__ = ["FabricVerdict", "Plan", "input_hash", "plan"]
