"""The command line of one SGLang worker, per release of Dynamo."""

from dgdr_operator.manifest.parts import Serving
from dgdr_operator.manifest.releases import Release
from estimator.estimates import Worker

REQUESTS = 512
"""Least --max-running-requests of workers that decode."""

GRAPH_BATCH = 512
"""Largest batch worth a captured graph."""

PREFILL_SLACK = 1500
"""Tokens beyond one prompt that --max-prefill-tokens admits."""

BOOTSTRAP_PORT = 12345

KV_EVENTS = '{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:5557"}'
"""How a worker tells the router which prefixes it holds."""


def arguments(worker: Worker, serving: Serving, release: Release) -> tuple[str, ...]:
    """Flags and values as separate items, which is the only form the platform parses."""
    flags = ["--model-path", serving.model, "--served-model-name", serving.name]
    flags += _widths(worker, release)
    flags += ["--enable-eplb", "--ep-num-redundant-experts", str(serving.copies)] if serving.copies else []
    flags += ["--kv-cache-dtype", "fp8_e4m3" if serving.kv_dtype == "fp8" else "auto"]
    flags += [] if serving.context is None else ["--context-length", str(serving.context)]
    flags += _limits(worker, serving, release)
    flags += [] if serving.prefix_caching else ["--disable-radix-cache"]
    flags += ["--trust-remote-code"] if serving.trust_remote_code else []
    flags += ["--kv-events-config", KV_EVENTS] if serving.kv_router else []
    return (*flags, *_role(worker))


def _widths(worker: Worker, release: Release) -> list[str]:
    """SGLang counts attention data-parallel ranks inside --tensor-parallel-size."""
    parallel = worker.parallel
    flags = ["--tensor-parallel-size", str(parallel.tp * parallel.dp)]
    flags += ["--pipeline-parallel-size", str(parallel.pp)] if parallel.pp > 1 else []
    if parallel.dp > 1:
        flags += ["--data-parallel-size", str(parallel.dp), "--enable-dp-attention"]
        flags += ["--moe-dense-tp-size", "1"] if release.moe_dense_flag else []
    flags += ["--expert-parallel-size", str(parallel.moe_ep)] if parallel.moe_ep > 1 else []
    return flags


def _limits(worker: Worker, serving: Serving, release: Release) -> list[str]:
    ranks = worker.parallel.dp
    planned = worker.batch_size * ranks
    running = max(planned, ranks) if worker.role == "prefill" else max(REQUESTS, 2 * planned)
    flags = ["--max-running-requests", str(running)]
    if worker.role != "decode":
        flags += ["--max-prefill-tokens", str(serving.isl + PREFILL_SLACK)]
        flags += ["--chunked-prefill-size", str(worker.max_num_tokens)]
    if worker.role != "prefill":
        flags += [release.graph_batch_flag, str(min(-(-running // ranks), GRAPH_BATCH))]
    return flags


def _role(worker: Worker) -> tuple[str, ...]:
    """All four on both roles: without the mode a pod serves alone, without the host its bootstrap hears itself only."""
    if worker.role == "aggregated":
        return ()
    return (
        "--disaggregation-mode", worker.role, "--disaggregation-transfer-backend", "nixl",
        "--disaggregation-bootstrap-port", str(BOOTSTRAP_PORT), "--host", "0.0.0.0",  # noqa: S104 -- the pod's own address
    )  # fmt: skip
