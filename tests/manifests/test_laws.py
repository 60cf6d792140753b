"""What holds for every graph, whatever the plan, the release, the version and the name of the request."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import graph, names, releases, views
from dgdr_operator.manifest.fabric import Fabric
from dgdr_operator.manifest.sites import Place, Site
from dgdr_operator.request import Identity
from estimator.estimates import Estimate, Role
from tests.manifests import definitions, plans, structural

WIDTHS = st.sampled_from([1, 2, 4, 8, 16])
COUNTS = st.integers(1, 4)
BATCHES = st.integers(1, 1024)
LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
ROLES: list[tuple[Role, ...]] = [("aggregated",), ("prefill", "decode")]
FABRICS = st.sampled_from([
    Fabric(profile="ib", resource="rdma/ib", devices=8, nodes=4, of=4),
    Fabric(profile="ib", resource="rdma/mlx5", devices=4, nodes=4, of=4),
    Fabric(profile="shared_ib", resource="rdma/shared_ib", devices=1000, nodes=4, of=4),
    Fabric(profile="intra-node"),
    Fabric(profile="tcp"),
])  # fmt: skip


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    """Any plan of any engine, aggregated or not, dense or not, on one node or several."""
    backend, replicas = draw(st.sampled_from(["vllm", "sglang", "trtllm"])), draw(COUNTS)
    roles: tuple[Role, ...] = draw(st.sampled_from(ROLES))
    experts = draw(st.sampled_from([{}, {"moe_ep": 8}]))
    workers = [
        plans.a_worker(role, tp=draw(WIDTHS), count=draw(COUNTS), batch=draw(BATCHES), tokens=8192, **experts)
        for role in roles
    ]
    return plans.an_estimate(*workers, replicas=replicas, backend=backend)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Any release, version, fabric and name."""
    release = ".".join(map(str, draw(st.sampled_from(releases.RELEASES)).minor)) + ".1"
    return plans.a_site(
        release,
        api=draw(st.sampled_from(["v1alpha1", "v1beta1"])),
        fabric=draw(FABRICS),
        place=Place(node_gpus=8, gpu_capacity=141e9),
        identity=Identity(name=draw(LABELS), namespace=draw(st.sampled_from(["default", "team-a"]))),
    )


@given(plan=estimates(), site=sites())
def test_components_add_up_to_the_gpus_of_the_plan(plan: Estimate, site: Site) -> None:
    parts = views.of(_graph(plan, site))

    assert sum(part.gpus for part in parts) == plan.gpus
    assert all(part.pod_gpus <= 8 for part in parts)


@given(plan=estimates(), site=sites())
def test_devices_are_requested_as_they_are_limited(plan: Estimate, site: Site) -> None:
    for part in views.of(_graph(plan, site)):
        assert part.requests == part.limits


@given(plan=estimates(), site=sites())
def test_names_stay_within_the_limits_of_the_platform(plan: Estimate, site: Site) -> None:
    written = _graph(plan, site)

    name = written["metadata"]["name"]
    for part in views.of(written):
        cliques = len(part.name) if part.nodes == 1 else 2 * len(part.name) + 4
        assert len(name) + cliques <= names.SET_NAME
    assert len(f"{site.request.identity.namespace}-{name}") <= names.LABEL


@given(plan=estimates(), site=sites())
def test_rdma_devices_and_settings_come_together_and_only_to_workers_that_run_apart(plan: Estimate, site: Site) -> None:
    for part in views.of(_graph(plan, site)):
        devices = [name for name in part.limits if name.startswith("rdma/")]
        expected = site.fabric.is_rdma and part.kind in {"prefill", "decode"}
        assert bool(devices) == expected
        if part.kind in {"prefill", "decode"} and site.fabric.profile != "tcp":
            assert "cuda_copy" in part.env["UCX_TLS"]


@given(plan=estimates(), site=sites())
def test_every_graph_fits_its_schema(plan: Estimate, site: Site) -> None:
    schemas = definitions.schemas("dynamographdeployments")

    if site.api in schemas:
        assert structural.faults(_graph(plan, site), schemas[site.api]) == []


@given(plan=estimates(), site=sites())
def test_the_same_plan_is_written_the_same_way_twice(plan: Estimate, site: Site) -> None:
    assert graph.build(plan, site) == graph.build(plan, site)


@given(plan=estimates(), one=LABELS, other=LABELS)
def test_different_requests_never_share_a_graph(plan: Estimate, one: str, other: str) -> None:
    written = [_graph(plan, plans.a_site(identity=Identity(name=name))) for name in (one, other)]

    assert (written[0]["metadata"]["name"] == written[1]["metadata"]["name"]) == (one == other)


@given(plan=estimates(), namespace=LABELS)
def test_a_namespace_of_any_length_gets_a_name_that_fits_or_a_reason(plan: Estimate, namespace: str) -> None:
    site = plans.a_site(identity=Identity(name="a-request-with-a-rather-long-name", namespace=namespace))

    try:
        name = _graph(plan, site)["metadata"]["name"]
    except InvalidSpec as refusal:
        path = refusal.path
    else:
        path, namespace = "metadata.namespace", f"{namespace}-{name}"

    assert path == "metadata.namespace"
    assert len(namespace) <= names.LABEL


def _graph(plan: Estimate, site: Site) -> dict[str, Any]:
    return graph.build(plan, site).objects[-1]
