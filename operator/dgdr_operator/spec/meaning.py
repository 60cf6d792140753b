"""Rules that tie fields together, checked once every field by itself is right."""

from collections.abc import Iterator, Mapping
from typing import Any

from dgdr_operator.errors import nearest
from dgdr_operator.spec import graft, schema, words

GRAPH_KIND = "DynamoGraphDeployment"
GRAPH_VERSIONS = ("nvidia.com/v1beta1", "nvidia.com/v1alpha1")

PLANNER_MODES = ("agg", "disagg", "prefill", "decode")
"""What the platform's planner counts: workers of one kind, of two, or of one of two kinds."""

Problems = Iterator[tuple[str, str]]


def problems(spec: schema.Spec) -> Problems:
    """Every contradiction in *spec*, and everything this release does not do, with its path."""
    yield from _traffic(spec.workload or schema.Workload())
    yield from _promises(spec.sla or schema.Sla())
    yield from _features(spec.features or schema.Features())
    yield from _cache(spec.model_cache)
    yield from _overrides(spec.overrides or schema.Overrides())
    if spec.search_strategy == "thorough" and spec.backend in {None, "auto"}:
        yield (
            "spec.searchStrategy",
            "thorough needs one backend: set spec.backend to vllm, sglang or trtllm, or use rapid",
        )


def _traffic(workload: schema.Workload) -> Problems:
    if workload.concurrency is not None and workload.request_rate is not None:
        yield "spec.workload", "has both concurrency and requestRate: keep one, the other follows from it"


def _promises(sla: schema.Sla) -> Problems:
    also = [name for name in ("ttft", "itl") if getattr(sla, name) is not None]
    if sla.e2e_latency is not None and also:
        yield "spec.sla", f"has both e2eLatency and {' and '.join(also)}: keep e2eLatency, or ttft and itl"


def _features(features: schema.Features) -> Problems:
    mode = (features.planner or {}).get("mode", PLANNER_MODES[0])
    if mode not in PLANNER_MODES:
        choices = " or ".join(PLANNER_MODES)
        yield "spec.features.planner.mode", f"must be {choices}, not {words.show(mode)}{nearest(mode, PLANNER_MODES)}"


def _cache(cache: schema.ModelCache | None) -> Problems:
    if cache is not None and cache.pvc_name is None and cache.pvc_model_path is not None:
        yield "spec.modelCache.pvcName", "is required with pvcModelPath: name the claim that holds the model"


def _overrides(overrides: schema.Overrides) -> Problems:
    if overrides.profiling_job is not None:
        yield from _tolerations(overrides.profiling_job)
    if overrides.dgd is not None:
        yield from _graph(overrides.dgd)


def _tolerations(job: Mapping[str, Any]) -> Problems:
    path, pod = "spec.overrides.profilingJob", job
    for step in ("template", "spec"):
        pod, path = pod.get(step) or {}, f"{path}.{step}"
        if not isinstance(pod, dict):
            yield path, f"must be an object, not {words.show(pod)}"
            return
    listed = pod.get("tolerations") or []
    if not isinstance(listed, list) or not all(isinstance(toleration, dict) for toleration in listed):
        yield f"{path}.tolerations", "must be a list of tolerations"


def _graph(graph: Mapping[str, Any]) -> Problems:
    path = "spec.overrides.dgd"
    if graph.get("apiVersion") not in GRAPH_VERSIONS:
        yield f"{path}.apiVersion", f"must be {' or '.join(GRAPH_VERSIONS)}, not {words.show(graph.get('apiVersion'))}"
    if graph.get("kind") != GRAPH_KIND:
        yield f"{path}.kind", f"must be {GRAPH_KIND}, not {words.show(graph.get('kind'))}"
    if "status" in graph:
        yield f"{path}.status", "belongs to the cluster: leave it out"
    for where in nulls(graph, path):
        yield where, "is null: leave it out, an override can change fields but not remove them"
    yield from _graph_metadata(graph.get("metadata") or {}, f"{path}.metadata")
    change = graph.get("spec", {})
    if not isinstance(change, dict):
        yield f"{path}.spec", f"must be an object, not {words.show(change)}"
    elif graph.get("apiVersion") in GRAPH_VERSIONS:
        yield from graft.problems(change, graph["apiVersion"].rpartition("/")[2], f"{path}.spec")


def _graph_metadata(metadata: object, path: str) -> Problems:
    if not isinstance(metadata, dict):
        yield path, f"must be an object, not {words.show(metadata)}"
        return
    name = metadata.get("name")
    if name is not None and not (isinstance(name, str) and words.DNS_LABEL.fullmatch(name)):
        yield f"{path}.name", f"must be a name of at most 63 letters a-z, digits and -, not {words.show(name)}"
    for field in ("labels", "annotations"):
        pairs = metadata.get(field) or {}
        if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
            yield f"{path}.{field}", "must be an object of texts"


def nulls(tree: Any, path: str) -> Iterator[str]:  # noqa: ANN401 -- a tree of dicts and lists of any depth
    """The paths of every null in *tree*."""
    if tree is None:
        yield path
    elif isinstance(tree, dict):
        for key, below in tree.items():
            yield from nulls(below, f"{path}.{key[:60]}")
    elif isinstance(tree, list):
        for index, below in enumerate(tree):
            yield from nulls(below, f"{path}[{index}]")
