"""A RoleBasedGroup runs what the graph runs: the same arguments, GPUs and devices, behind a router that knows all."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from dgdr_operator.errors import Unsupported
from dgdr_operator.manifest import graph, rolebased, views
from dgdr_operator.manifest.releases import RELEASES
from dgdr_operator.manifest.views import View
from estimator.estimates import Estimate
from tests.manifests import definitions, matrix, plans, structural
from tests.manifests.matrix import Case

AGGREGATED = plans.an_estimate(plans.a_worker("aggregated", tp=2, batch=14), replicas=3, backend="sglang")
DISAGGREGATED = plans.an_estimate(
    plans.a_worker("prefill", tp=2, count=2), plans.a_worker("decode", tp=4, batch=60, tokens=60), backend="sglang"
)
WIDE = plans.an_estimate(plans.a_worker("aggregated", tp=8, pp=2, batch=14), replicas=2, backend="sglang")
RELEASE = RELEASES[-1]


def _both(estimate: Estimate) -> tuple[dict[str, Any], dict[str, Any]]:
    written = graph.build(estimate, plans.a_site()).objects[-1]
    return written, rolebased.group(written, RELEASE)


def _roles(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {role["name"]: role for role in group["spec"]["roles"]}


def _pod(role: dict[str, Any]) -> dict[str, Any]:
    pattern = role.get("standalonePattern") or role["leaderWorkerPattern"]
    pod: dict[str, Any] = pattern["template"]["spec"]
    return pod


def _workers(written: dict[str, Any]) -> list[View]:
    return [part for part in views.of(written) if part.is_worker]


def _schema() -> dict[str, Any]:
    """The reduced definition, with the platform's schema of a pod template where pods are described."""
    schema: dict[str, Any] = yaml.safe_load(
        (Path(__file__).parent / "rolebasedgroups.yaml").read_text(encoding="utf-8")
    )
    graphs = definitions.schemas("dynamographdeployments")["v1beta1"]["properties"]["spec"]["properties"]
    template = graphs["components"]["items"]["properties"]["podTemplate"]
    role = schema["properties"]["spec"]["properties"]["roles"]["items"]["properties"]
    for pattern in ("standalonePattern", "leaderWorkerPattern"):
        role[pattern]["properties"]["template"] = template
    return schema


SGLANG = [case for case in matrix.cases() if case.api == "v1beta1" and case.estimate.backend == "sglang"]


@pytest.mark.skipif(not definitions.UPSTREAM.is_dir(), reason="our own definition has a part of a pod's fields only")
@pytest.mark.parametrize(
    "case", [one for one in SGLANG if one.site.request.overrides.planner is None], ids=lambda c: c.name
)
def test_a_group_fits_the_definition_of_its_kind(case: Case) -> None:
    group = rolebased.group(case.build().objects[-1], case.site.target.release)

    assert structural.faults(group, _schema()) == []
    patterns = [{"standalonePattern", "leaderWorkerPattern"} & role.keys() for role in group["spec"]["roles"]]
    assert all(len(pattern) == 1 for pattern in patterns)


@pytest.mark.parametrize("estimate", [AGGREGATED, DISAGGREGATED, WIDE], ids=["aggregated", "disaggregated", "wide"])
def test_every_worker_has_a_role_with_its_arguments_and_devices(estimate: Estimate) -> None:
    written, group = _both(estimate)
    roles = _roles(group)

    assert set(roles) == {"router", *(part.name for part in _workers(written))}
    for part in _workers(written):
        (server,) = _pod(roles[part.name])["containers"]
        assert server["args"][: len(part.args)] == part.args
        assert server["resources"]["limits"] == part.limits
        assert server["command"] == ["python3", "-m", "sglang.launch_server"]
        assert server["image"] == f"lmsysorg/sglang:v{RELEASE.engines['sglang']}"
        assert roles[part.name]["replicas"] == part.replicas
        assert {one["name"]: one["value"] for one in server["env"]} == dict(part.env)


def test_the_router_knows_every_prefill_and_decode_pod_and_waits_for_them() -> None:
    _, group = _both(DISAGGREGATED)
    router = _roles(group)["router"]
    args = _pod(router)["containers"][0]["args"]

    assert "--pd-disaggregation" in args
    prefill = [args[at + 1 : at + 3] for at, word in enumerate(args) if word == "--prefill"]
    assert prefill == [[f"http://qwen32b-dgd-prefill-{copy}.s-qwen32b-dgd-prefill:8000", "12345"] for copy in range(2)]
    assert args.count("--decode") == 1
    assert router["dependencies"] == ["prefill", "decode"]


def test_an_aggregated_group_is_routed_evenly() -> None:
    args = _pod(_roles(_both(AGGREGATED)[1])["router"])["containers"][0]["args"]

    assert len(args[args.index("--worker-urls") + 1 :]) == 3
    assert args[args.index("--policy") + 1] == "round_robin"


def test_a_worker_of_two_nodes_is_led_by_its_first_pod() -> None:
    _, group = _both(WIDE)
    roles = _roles(group)
    pattern = roles["worker"]["leaderWorkerPattern"]
    args = _pod(roles["worker"])["containers"][0]["args"]

    assert pattern["size"] == 2
    assert args[args.index("--nnodes") + 1] == "$(RBG_LWP_GROUP_SIZE)"
    assert "http://qwen32b-dgd-worker-1-0.s-qwen32b-dgd-worker:8000" in _pod(roles["router"])["containers"][0]["args"]


def test_shared_memory_is_a_volume_where_no_platform_adds_it() -> None:
    pod = _pod(_roles(_both(DISAGGREGATED)[1])["prefill"])

    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}} in pod["volumes"]
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in pod["containers"][0]["volumeMounts"]  # noqa: S108 -- of a pod
    assert {"name": "model-cache", "mountPath": "/opt/models"} in pod["containers"][0]["volumeMounts"]


def test_another_engine_is_refused_by_name() -> None:
    written = graph.build(plans.AGGREGATED, plans.a_site()).objects[-1]

    with pytest.raises(Unsupported, match="choose --backend sglang"):
        rolebased.group(written, RELEASE)
