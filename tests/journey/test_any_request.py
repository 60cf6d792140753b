"""Any request that is well-formed gets a graph that fits its schema, or a refusal in words; nothing else happens."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dgdr_operator import inventory, journey, refusal, spec
from dgdr_operator.errors import JourneyError
from dgdr_operator.settings import Settings
from estimator.errors import EstimatorError, NoFeasibleCandidate
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError
from tests.journey.nodes import node
from tests.manifests import definitions, structural

TIMES = st.floats(0.01, 1e6)
COUNTS = st.integers(1, 64) | st.sampled_from([96, 128, 2**31 - 1])
LENGTHS = st.integers(1, 50_000) | st.just(2**31 - 1)
SPECS = st.fixed_dictionaries(
    {"model": st.sampled_from(["Qwen/Qwen3-32B-FP8", "meta-llama/Llama-3.1-8B-Instruct", "unknown/model"])},
    optional={
        "backend": st.sampled_from(["auto", "vllm", "sglang", "trtllm"]),
        "image": st.sampled_from(["x/y:0.8.0", "x/y:1.4.0", "x/y:9.0.0"]),
        "hardware": st.fixed_dictionaries(
            {"gpuSku": st.sampled_from(["h200_sxm", "h100_sxm", "l4"]), "totalGpus": COUNTS},
            optional={
                "numGpusPerNode": COUNTS,
                "vramMb": st.floats(1, 1e6),
                "rdma": st.booleans(),
            },
        ),
        "workload": st.fixed_dictionaries(
            {},
            optional={"isl": LENGTHS, "osl": LENGTHS, "concurrency": st.floats(1e-6, 1e12)},
        ),
        "sla": st.fixed_dictionaries({}, optional={"ttft": TIMES, "itl": TIMES}) | st.just({"e2eLatency": 9000}),
    },
)
WORLDS = st.sampled_from([None, [], [node()], [node(devices={"rdma/ib": "8"})], [node("NVIDIA-H100-80GB-HBM3", 4)]])


@settings(max_examples=60)
@given(asked=SPECS, world=WORLDS, wire=st.sampled_from(["refuse", "intra-node", "allow"]))
def test_any_request_gets_a_graph_or_a_reason(
    asked: dict[str, Any], world: list[dict[str, Any]] | None, wire: str, catalog: Catalog
) -> None:
    own = {"dgdr-operator.io/disagg-without-rdma": wire}
    body = {"metadata": {"name": "any", "annotations": own}, "spec": asked}

    verdict = _verdict(body, world, catalog)

    assert verdict == [] or isinstance(verdict, str)
    assert len(verdict) < 4096


def _verdict(body: dict[str, Any], world: list[dict[str, Any]] | None, catalog: Catalog) -> list[str] | str:
    """What is wrong with the graph, or why there is none."""
    seen = None if world is None else inventory.read(world)
    try:
        request, _ = inventory.complete(spec.read(body), seen)
        graph = journey.plan(request, seen, catalog, Settings()).graph
    except NoFeasibleCandidate as refused:
        return refusal.line(request, refused.report)
    except (JourneyError, EstimatorError, PerfDatabaseError) as refused:
        return str(refused) or "a refusal without words"
    schemas = definitions.schemas("dynamographdeployments")
    version = graph["apiVersion"].split("/")[1]
    return structural.faults(graph, schemas[version]) if version in schemas else []
