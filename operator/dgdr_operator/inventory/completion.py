"""A request completed with what the nodes have, and a sentence for everything that was filled in."""

from collections.abc import Iterable
from dataclasses import replace

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.inventory.groups import Inventory, NodeGroup
from dgdr_operator.inventory.skus import link
from dgdr_operator.request import MOST_GPUS, DeploymentRequest, HardwareRequest


def complete(request: DeploymentRequest, inventory: Inventory | None) -> tuple[DeploymentRequest, tuple[str, ...]]:
    """The request with the hardware it left out, and a sentence for everything that was filled in.

    gpus_per_node and vram stay None when no node tells: the facts of the GPU system do.
    Raises InvalidSpec when something needed is neither given nor found.
    """
    asked = request.hardware
    group = _chosen(asked, inventory)
    if asked.gpu_sku is None and group is None:
        raise InvalidSpec.at("spec.hardware.gpuSku", f"is needed: {_nothing_found(inventory)}")
    if asked.total_gpus is None and group is None:
        nodes = f"no ready node with {asked.gpu_sku} was found{_aside(inventory)}"
        raise InvalidSpec.at("spec.hardware.totalGpus", f"is needed: {nodes}")
    found = _found(asked, group, _budget(inventory, group))
    notes = [f"hardware.{name} was not given: {text}" for name, text in _fillings(asked, found, inventory)]
    notes += _tight(asked, group, inventory)
    return replace(request, hardware=found), tuple(notes)


def _chosen(asked: HardwareRequest, inventory: Inventory | None) -> NodeGroup | None:
    """The group of the SKU that was asked for; else the best one with a free GPU, else the best one."""
    if inventory is None:
        return None
    if asked.gpu_sku is not None:
        return inventory.group(asked.gpu_sku)
    known = [group for group in inventory.groups if group.sku is not None]
    name = next((group.sku for group in known if group.free_gpus), known[0].sku if known else None)
    return inventory.group(name) if name else None


def _budget(inventory: Inventory | None, group: NodeGroup | None) -> int | None:
    """All GPUs that there are: which of them are free binds the plan by itself, and is then what a refusal names."""
    return None if inventory is None or group is None else min(_whole(inventory, group), MOST_GPUS)


def _whole(inventory: Inventory, group: NodeGroup) -> int:
    return sum(one.gpus for one in inventory.alike(str(group.sku)))


def _nothing_found(inventory: Inventory | None) -> str:
    if inventory is None:
        return "there are no nodes to look at"
    products = ", ".join(sorted({group.product or "(no product label)" for group in inventory.groups}))
    if products:
        return f"no SKU stands for what the nodes have: {products}"
    return f"no ready GPU node was found{_aside(inventory)}"


def _aside(inventory: Inventory | None) -> str:
    """Nodes that have GPUs and do not count, and why."""
    aside = inventory.aside if inventory else {}
    told = ", ".join(f"{count} {'is' if count == 1 else 'are'} {why}" for why, count in aside.items())
    return f" ({told})" if told else ""


def _found(asked: HardwareRequest, group: NodeGroup | None, budget: int | None) -> HardwareRequest:
    name = asked.gpu_sku or (group.sku if group else None) or ""
    rdma = None if group is None else any(count > 0 for count in group.fabric.values())
    return HardwareRequest(
        gpu_sku=name,
        vram=asked.vram or (group.memory if group else None),
        total_gpus=asked.total_gpus or budget,
        gpus_per_node=asked.gpus_per_node or (group.gpus_per_node if group else None),
        interconnect=asked.interconnect
        or ("nvlink" if link(name, group.product if group else "") == "nvlink" else "pcie"),
        rdma=rdma if asked.rdma is None else asked.rdma,
    )


def _fillings(asked: HardwareRequest, found: HardwareRequest, inventory: Inventory | None) -> Iterable[tuple[str, str]]:
    if asked.gpu_sku is None:
        yield "gpuSku", f"the nodes have {found.gpu_sku}{_others(found, inventory)}"
    if asked.total_gpus is None:
        yield "totalGpus", _counted(found, inventory)
    if asked.gpus_per_node is None and found.gpus_per_node is not None:
        yield "numGpusPerNode", f"the nodes have {found.gpus_per_node}"
    if asked.interconnect is None:
        yield "interconnect", f"{found.gpu_sku} is joined by {found.interconnect}"
    if asked.rdma is None and found.rdma is not None:
        yield "rdma", "the nodes offer RDMA devices" if found.rdma else "the nodes offer no RDMA device"


def _others(found: HardwareRequest, inventory: Inventory | None) -> str:
    """The other SKUs of a mixed cluster, which were not chosen."""
    names = {group.sku for group in inventory.groups if group.sku} - {found.gpu_sku} if inventory else set()
    return f"; {', '.join(sorted(map(str, names)))} would have to be named" if names else ""


def _counted(found: HardwareRequest, inventory: Inventory | None) -> str:
    """Where the number of GPUs comes from."""
    vacancy = inventory.vacancy(str(found.gpu_sku)) if inventory else None
    group = inventory.group(str(found.gpu_sku)) if inventory else None
    if inventory is None or vacancy is None or group is None:
        return f"the ready nodes have {found.total_gpus}"
    whole = _whole(inventory, group)
    if found.total_gpus == MOST_GPUS:
        return f"{MOST_GPUS} is the most one request may plan for, and the ready nodes have more"
    if vacancy.limit is not None and vacancy.gpus == vacancy.limit:
        return f"the ready nodes have {whole}, of which the namespace's quota leaves {vacancy.limit}"
    if vacancy.gpus < whole:
        return f"{vacancy.gpus} of the {whole} GPUs of the ready nodes are free"
    return f"the ready nodes have {whole}"


def _tight(asked: HardwareRequest, group: NodeGroup | None, inventory: Inventory | None) -> Iterable[str]:
    """What of the GPUs that were asked for is not there, or not free."""
    if group is None or inventory is None or asked.total_gpus is None:
        return
    whole, vacancy = _whole(inventory, group), inventory.vacancy(str(group.sku))
    if asked.total_gpus > whole:
        yield f"hardware.totalGpus is {asked.total_gpus}, but the ready {group.sku} nodes have {whole}"
    elif vacancy is not None and asked.total_gpus > vacancy.gpus:
        yield f"hardware.totalGpus is {asked.total_gpus}, but what is free of the ready {group.sku} nodes is {vacancy}"
