"""Where a plan is put: the version its graph is written in, and how its pods reach the planned nodes."""

from dgdr_operator import inventory as nodes
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.inventory import Inventory, NodeGroup
from dgdr_operator.manifest import sites
from dgdr_operator.manifest.releases import Target
from dgdr_operator.manifest.sites import Place
from dgdr_operator.request import ApiVersion, DeploymentRequest
from dgdr_operator.settings import Settings
from estimator import catalogue
from estimator.estimates import Estimate
from estimator.hardware import System
from estimator.vacancy import Vacancy


def sight(request: DeploymentRequest, inventory: Inventory | None, settings: Settings) -> Inventory | None:
    """The nodes on which pods of *request* may run: without those whose taints they do not tolerate."""
    if inventory is None:
        return None
    return inventory.tolerated((*settings.pods.tolerations, *request.overrides.tolerations))


def vacancy(request: DeploymentRequest, inventory: Inventory | None, settings: Settings) -> Vacancy | None:
    """The free GPUs that the workers of *request*, with its hardware complete, have to fit on; None: any number.

    Nodes that are not there yet are no obstacle where the cluster makes them for pods that wait ("elastic").
    """
    if inventory is None or settings.inventory == "elastic" or request.knobs.mocker:
        return None
    return inventory.vacancy(str(request.hardware.gpu_sku))


def place(group: NodeGroup | None, inventory: Inventory | None, system: System) -> Place:
    """Pods are told to go to the planned product, and machine, only where the cluster has another one."""
    tolerations = tuple(
        {"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}
        for taint in (group.taints if group else ())
    )
    return Place(
        node_gpus=system.node.gpus,
        gpu_capacity=system.gpu.memory_capacity,
        tolerations=tolerations,
        node_selector=_selector(group, inventory) if group and inventory else {},
    )


def zones(group: NodeGroup | None, choice: Estimate) -> str:
    """What to say of a plan whose workers talk to each other and may stand in different zones; "" for nothing."""
    if group is None or len(group.zones) <= 1:
        return ""
    if choice.mode == "aggregated" and choice.workers[0].parallel.gpus <= group.gpus_per_node:
        return ""
    where = ", ".join(f"{count} in {zone}" for zone, count in group.zones.items())
    told = f"workers talk to each other, and {group.sku} nodes stand in several zones ({where})"
    return f"{told}: graphs.nodeSelector can name one"


def _selector(group: NodeGroup, inventory: Inventory) -> dict[str, str]:
    ours = {nodes.PRODUCT: group.product, nodes.MACHINE: group.machine}
    others = {nodes.PRODUCT: {one.product for one in inventory.groups}}
    others[nodes.MACHINE] = {one.machine for one in inventory.groups}
    return {label: value for label, value in ours.items() if value and len(others[label]) > 1}


def api(request: DeploymentRequest, target: Target, settings: Settings) -> ApiVersion:
    """The version to write: what is served, v1beta1 first, unless an annotation or an override's spec decides."""
    offline: tuple[ApiVersion, ...] = ("v1beta1", "v1alpha1") if target.release.beta_graphs else ("v1alpha1", "v1beta1")
    served = settings.graph_versions or offline
    wanted, path = _wanted(request)
    if wanted is None:
        return served[0]
    if wanted not in served:
        raise InvalidSpec.at(path, f"asks for {wanted}, but only {' and '.join(served)} can be written")
    return wanted


def _wanted(request: DeploymentRequest) -> tuple[ApiVersion | None, str]:
    change = request.overrides.graph or {}
    knob = None if request.knobs.dgd_api == "auto" else request.knobs.dgd_api
    if change.get("spec"):
        version: ApiVersion = "v1alpha1" if change["apiVersion"].endswith("v1alpha1") else "v1beta1"
        if knob not in {None, version}:
            raise InvalidSpec.at("spec.overrides.dgd.apiVersion", f"is {version}, but the annotation dgd-api is {knob}")
        return version, "spec.overrides.dgd.apiVersion"
    return knob, "metadata.annotations[dgdr-operator.io/dgd-api]"


def check_secret(request: DeploymentRequest, settings: Settings) -> None:
    """A model that is only given to token holders needs the Secret with the token. Raises InvalidSpec."""
    if not sites.secret(request, settings) and catalogue.is_gated(request.model):
        problem = f"is empty, but {request.model} is only given to token holders: name the Secret that holds HF_TOKEN"
        raise InvalidSpec.at("metadata.annotations[dgdr-operator.io/hf-secret]", problem)
