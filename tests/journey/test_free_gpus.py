"""What pods hold and quotas leave: free GPUs by node, a graph's own pods given back, taints that keep pods out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator import inventory, journey, spec
from dgdr_operator.errors import InvalidSpec
from dgdr_operator.inventory import Inventory, Usage, quotas
from dgdr_operator.inventory.pods import requested
from dgdr_operator.request import OWN
from dgdr_operator.settings import PodSettings, Settings
from estimator.errors import NoFeasibleCandidate
from estimator.vacancy import Vacancy
from perf_db.catalog import Catalog
from tests.journey.nodes import node, pod
from tests.refusing.requests import body

GUARD = {"key": "dedicated", "value": "research", "effect": "NoSchedule"}
DOOR = {"key": "dedicated", "operator": "Equal", "value": "research", "effect": "NoSchedule"}


def named(name: str, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 -- whatever a node takes
    """A node of that name."""
    made = node(**kwargs)
    made["metadata"]["name"] = name
    return made


def free(found: Inventory) -> Vacancy | None:
    """The free H200."""
    return found.vacancy("h200_sxm")


def test_what_unfinished_pods_hold_is_not_free() -> None:
    nodes = [named("a"), named("b"), named("c")]
    pods = [
        pod("a", 2), pod("a", 4), pod("b", 8), pod("c", 8, phase="Succeeded"), pod("c", 8, phase="Failed"), pod("", 8),
        pod("c", 0), pod("elsewhere", 8), pod("c", 1, phase="Pending"),
    ]  # fmt: skip

    found = inventory.read(nodes, pods)

    assert found.groups[0].free == {0: 1, 2: 1, 7: 1}
    assert (found.groups[0].gpus, found.groups[0].free_gpus, found.counted) == (24, 9, True)


@pytest.mark.parametrize(
    ("containers", "starting", "gpus"),
    [
        ([1, 2], [], 3),
        ([1], [("once", 4)], 4),
        ([2], [("always", 1)], 3),
        ([1], [("always", 1), ("once", 4)], 5),
        ([1], [("once", 4), ("always", 1)], 4),
        ([], [], 0),
    ],
)
def test_a_pod_holds_what_the_scheduler_set_aside(containers: list[int], starting: list[Any], gpus: int) -> None:
    def container(number: int, policy: str = "") -> dict[str, Any]:
        return {"resources": {"limits": {"nvidia.com/gpu": str(number)}}, "restartPolicy": policy.capitalize()}

    initial = [container(number, "Always" if policy == "always" else "") for policy, number in starting]

    assert requested({"spec": {"containers": [container(n) for n in containers], "initContainers": initial}}) == gpus


@given(sizes=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4)), max_size=12), split=st.integers(0, 12))
def test_pages_add_up_to_the_whole(sizes: list[tuple[str, int]], split: int) -> None:
    pods = [pod(name, gpus, graph="g") for name, gpus in sizes]
    whole, paged = Usage(pods), Usage(pods[:split])
    paged.add(pods[split:])

    assert (whole.by_node, whole.by_graph) == (paged.by_node, paged.by_graph)


@given(own=st.lists(st.sampled_from([1, 2, 4]), max_size=3), others=st.lists(st.sampled_from([1, 2]), max_size=2))
def test_a_request_is_not_in_its_own_way(own: list[int], others: list[int]) -> None:
    nodes = [named("a"), named("b")]
    theirs = [pod("a", gpus, graph="other") for gpus in others]
    with_own = inventory.read(nodes, [*theirs, *(pod("b", gpus, graph="mine") for gpus in own)])

    seen = with_own.seen_by("team", ["mine"])

    assert seen.groups == inventory.read(nodes, theirs).groups
    assert seen.hash == inventory.read(nodes, theirs).hash
    assert with_own.seen_by("elsewhere", ["mine"]).groups == with_own.groups


def test_a_quota_binds_its_namespace_and_counts_a_graphs_own_pods_back_in() -> None:
    listed = [
        {
            "metadata": {"namespace": "team", "name": "q"},
            "spec": {"hard": {"requests.nvidia.com/gpu": "6"}},
            "status": {"hard": {"requests.nvidia.com/gpu": "6"}, "used": {"requests.nvidia.com/gpu": "4"}},
        },
        {"metadata": {"namespace": "team", "name": "p"}, "spec": {"hard": {"requests.nvidia.com/gpu": "9"}}},
        {"metadata": {"namespace": "team", "name": "cpu"}, "spec": {"hard": {"cpu": "1"}}},
    ]
    server = inventory.server(named("a"), {})
    assert server is not None

    found = inventory.of([server], Usage([pod("a", 4, graph="mine")]), quotas.left(listed))

    assert found.seen_by("team").limit == 2
    assert found.seen_by("team", ["mine"]).limit == 6
    assert found.seen_by("other").limit is None


def test_what_is_free_is_part_of_the_hash_and_not_of_the_supply() -> None:
    idle, busy = inventory.read([named("a")], []), inventory.read([named("a")], [pod("a", 4)])

    assert idle.hash != busy.hash
    assert idle.supply == busy.supply
    assert idle.supply != inventory.read([named("a"), named("b")], []).supply


def test_names_and_heartbeats_are_not_part_of_the_hash() -> None:
    beating = named("b")
    beating["status"]["conditions"][1]["lastHeartbeatTime"] = "2026-01-01T00:00:00Z"

    assert inventory.read([named("a")], [pod("a", 4)]).hash == inventory.read([beating], [pod("b", 4)]).hash


def test_nodes_that_keep_our_pods_out_are_put_aside_and_said() -> None:
    guarded = inventory.read([named("a", spec={"taints": [GUARD]})])

    assert guarded.tolerated([]).groups == ()
    assert guarded.tolerated([]).aside == {"tainted": 1}
    assert guarded.tolerated([DOOR]) == guarded
    assert guarded.tolerated([{"operator": "Exists"}]) == guarded
    assert guarded.tolerated([{**DOOR, "value": "other"}]).groups == ()


def test_nodes_that_do_not_count_are_named_by_their_reason() -> None:
    sliced = named("m", gpus=0, devices={"nvidia.com/mig-1g.10gb": "7"})
    nodes = [named("a", ready=False), named("b", spec={"unschedulable": True}), sliced]

    found = inventory.read(nodes)

    assert found.aside == {"cordoned": 1, "cut into MIG slices": 1, "not ready": 1}


def test_nodes_without_the_operators_labels_do_not_count() -> None:
    assert inventory.read([named("a")], selector={"pool": "serving"}).aside == {
        "without the labels that graphs ask for": 1
    }


def test_zones_are_counted() -> None:
    here = [named("a"), named("b")]
    for one, zone in zip(here, ("east", "west"), strict=True):
        one["metadata"]["labels"]["topology.kubernetes.io/zone"] = zone

    assert inventory.read(here).groups[0].zones == {"east": 1, "west": 1}


def test_the_best_gpu_of_a_mixed_cluster_is_one_that_is_free() -> None:
    nodes = [named("a"), named("b", product="NVIDIA-L40S", gpus=4)]

    idle, notes = inventory.complete(asking(), inventory.read(nodes, []))
    busy, _ = inventory.complete(asking(), inventory.read(nodes, [pod("a", 8)]))

    assert (idle.hardware.gpu_sku, idle.hardware.total_gpus) == ("h200_sxm", 8)
    assert (busy.hardware.gpu_sku, busy.hardware.total_gpus) == ("l40s", 4)
    assert "l40s would have to be named" in notes[0]


def test_gpus_that_are_free_are_said() -> None:
    found = inventory.read([named("a"), named("b")], [pod("a", 6)])

    completed, notes = inventory.complete(asking(), found)

    assert completed.hardware.total_gpus == 16
    assert any("10 of the 16 GPUs of the ready nodes are free" in note for note in notes)


def test_a_budget_beyond_what_is_free_is_pointed_out() -> None:
    found = inventory.read([named("a")], [pod("a", 4)])

    _, notes = inventory.complete(asking(hardware={"gpuSku": "h200_sxm", "totalGpus": 8}), found)

    assert "what is free of the ready h200_sxm nodes is 4 GPUs: 4 on 1 node" in notes[-1]


def asking(**fields: Any) -> Any:  # noqa: ANN401 -- any field of a request
    """A request with those fields."""
    return spec.read(body(**{"hardware": {}, "backend": "vllm", **fields}))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The measurements."""
    return Catalog()


def gpus_per_pod(graph: dict[str, Any]) -> list[int]:
    """GPUs of every worker pod of a graph."""
    found = []
    for component in graph["spec"]["components"]:
        (main, *_) = component["podTemplate"]["spec"]["containers"]
        gpus = int(main.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0))
        found += [gpus] * component["replicas"] if gpus else []
    return found


def test_a_plan_fits_the_pieces_that_are_free(catalog: Catalog) -> None:
    nodes = [named(name, gpus=4) for name in "abcd"]
    busy = [pod(name, 2) for name in "abcd"]

    plan = journey.plan(asking(), inventory.read(nodes, busy), catalog, Settings(graph_versions=("v1beta1",)))

    pods = gpus_per_pod(plan.graph)
    assert max(pods) <= 2
    assert sum(pods) <= 8


def test_a_plan_that_only_lacks_free_gpus_says_so_and_comes_when_they_are(catalog: Catalog) -> None:
    asked = asking(sla={"ttft": 600, "itl": 9}, workload={"isl": 4000, "osl": 500})
    nodes, pods = [named(name) for name in "abcdefgh"], [pod(name, 7) for name in "abcdefgh"]

    with pytest.raises(NoFeasibleCandidate) as refused:
        journey.plan(asked, inventory.read(nodes, pods), catalog, Settings())

    assert refused.value.report.binding == "gpus"
    assert journey.plan(asked, inventory.read(nodes, pods[:-1]), catalog, Settings()).graph
    assert journey.plan(asked, inventory.read(nodes, pods), catalog, Settings(inventory="elastic")).graph


def test_taints_that_the_operator_tolerates_are_no_hindrance(catalog: Catalog) -> None:
    found = inventory.read([named("a", spec={"taints": [GUARD]})])
    allowing = Settings(pods=PodSettings(tolerations=(DOOR,)))

    assert journey.plan(asking(), found, catalog, allowing).graph
    with pytest.raises(InvalidSpec, match="1 is tainted"):
        journey.plan(asking(), found, catalog, Settings())


@pytest.mark.parametrize(("zones", "said"), [(("east", "west"), True), (("east", "east"), False)])
def test_workers_that_talk_across_zones_are_pointed_out(
    catalog: Catalog,
    zones: tuple[str, str],
    said: bool,  # noqa: FBT001 - a case
) -> None:
    nodes = [named(name, devices={"rdma/ib": "8"}) for name in "ab"]
    for one, zone in zip(nodes, zones, strict=True):
        one["metadata"]["labels"]["topology.kubernetes.io/zone"] = zone
    asked = spec.read(
        {
            **body(backend="vllm", hardware={}),
            "metadata": {"name": "q", "annotations": {f"{OWN}/pin": "mode=disaggregated"}},
        }
    )

    plan = journey.plan(asked, inventory.read(nodes), catalog, Settings())

    assert any("1 in east, 1 in west" in note for note in plan.notes) is said
