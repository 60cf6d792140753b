"""The journey itself: one request, the nodes and the measurements in; a plan with the objects to create out."""

from dataclasses import dataclass
from typing import Any, Literal

from dgdr_operator.inventory import Inventory
from dgdr_operator.request import DeploymentRequest
from dgdr_operator.settings import Settings
from estimator.estimates import Outcome
from perf_db.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricVerdict:
    """What the plan does about RDMA; ready and reason are those of the condition FabricReady."""

    ready: bool
    reason: Literal["RDMA", "NotRequired", "IntraNode", "NoRDMA", "FabricIncomplete"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to create for a request, and why.

    request: as it was planned, hardware filled in; outcome: the search that chose; objects: what to create, in this
    order, the DynamoGraphDeployment last; notes: sentences for people; input_hash: equal inputs give equal hashes,
    and equal hashes equal plans; data_version: of the measurements.
    """

    request: DeploymentRequest
    outcome: Outcome
    objects: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    input_hash: str
    data_version: str
    fabric: FabricVerdict

    @property
    def graph(self) -> dict[str, Any]:
        """The DynamoGraphDeployment."""
        return self.objects[-1]


def input_hash(request: DeploymentRequest, inventory: Inventory | None, data_version: str, settings: Settings) -> str:
    """SHA-256 over everything a plan depends on, in hexadecimal; cheap, so it can be asked before planning."""
    raise NotImplementedError


def plan(request: DeploymentRequest, inventory: Inventory | None, catalog: Catalog, settings: Settings) -> Plan:
    """The plan for *request*.

    Raises InvalidSpec, Unsupported, ManifestError (`dgdr_operator.errors`), and lets the estimator's tree
    (NoFeasibleCandidate, UnsupportedModel, ...) and the database's (NotCovered) pass untouched.
    """
    raise NotImplementedError
