"""Any request that is well-formed gets a graph that fits its schema, or a refusal in words; nothing else happens."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dgdr_operator import inventory, journey, refusal, spec
from dgdr_operator.errors import JourneyError, ManifestError
from dgdr_operator.settings import Settings
from estimator.errors import EstimatorError, NoFeasibleCandidate
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError
from tests.journey.anything import ALPHA_BODIES, BODIES, WORLDS
from tests.manifests import definitions, structural

World = list[dict[str, Any]] | None


@settings(max_examples=100)
@given(body=BODIES, world=WORLDS)
def test_any_request_gets_a_graph_or_a_reason(body: dict[str, Any], world: World, catalog: Catalog) -> None:
    faults, reason = _verdict(body, world, catalog)

    assert faults == []
    assert len(reason) < 4096


@settings(max_examples=60)
@given(body=ALPHA_BODIES, world=WORLDS)
def test_any_request_of_the_older_version_gets_one_too(body: dict[str, Any], world: World, catalog: Catalog) -> None:
    faults, reason = _verdict(body, world, catalog)

    assert faults == []
    assert len(reason) < 4096


@pytest.mark.scale
@pytest.mark.parametrize("bodies", [BODIES, ALPHA_BODIES], ids=["v1beta1", "v1alpha1"])
def test_ten_thousand_requests_get_a_graph_or_a_reason(
    bodies: st.SearchStrategy[dict[str, Any]], catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: Counter[str] = Counter()

    # Shrinking would take longer than the test: the short tests above do that.
    @settings(max_examples=10_000, phases=[Phase.explicit, Phase.generate])
    @given(body=bodies, world=WORLDS)
    def ask(body: dict[str, Any], world: World) -> None:
        faults, reason = _verdict(body, world, catalog)
        seen[reason.split(" ")[0].rstrip(":") if reason else "graph"] += 1
        assert faults == []
        assert len(reason) < 4096

    ask()

    with capsys.disabled():
        graphs, refusals = seen["graph"], seen.total() - seen["graph"]
        print(f"\n    {seen.total()} requests: {graphs} graphs, {refusals} refusals", end="")  # noqa: T201 - a figure
    assert seen.total() >= 10_000


def _verdict(body: dict[str, Any], world: World, catalog: Catalog) -> tuple[list[str], str]:
    """What is wrong with the graph, and why there is none."""
    nodes = None if world is None else inventory.read(world)
    try:
        request, _ = inventory.complete(spec.read(body), nodes)
        graph = journey.plan(request, nodes, catalog, Settings()).graph
    except NoFeasibleCandidate as refused:
        return [], refusal.line(request, refused.report)
    except (JourneyError, EstimatorError, PerfDatabaseError) as refused:
        changed = "dgd" in body["spec"].get("overrides", {}) or "deploymentOverrides" in body["spec"]
        ours = isinstance(refused, ManifestError) and not changed
        return [str(refused)] if ours else [], str(refused) or "a refusal without words"
    schemas = definitions.schemas("dynamographdeployments")
    version = graph["apiVersion"].split("/")[1]
    return structural.faults(graph, schemas[version]) if version in schemas else [], ""
