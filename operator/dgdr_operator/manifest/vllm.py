"""The command line of one vLLM worker, per release of Dynamo."""

from dgdr_operator.manifest.parts import Serving
from dgdr_operator.manifest.releases import Release
from estimator.estimates import Worker

CONNECTOR = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'
"""Moves keys and values between the roles; explicit from Dynamo 1.0, the built-in default before."""

LIBFABRIC_CONNECTOR = (
    '{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_buffer_device":"cuda",'
    '"kv_connector_extra_config":{"backends":["LIBFABRIC"]}}'
)
"""The same over EFA."""

KV_EVENTS = '{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:20081","enable_kv_cache_events":true}'
"""How a worker tells the router which prefixes it holds."""

MEMORY_SHARE = "0.9"
"""Share of GPU memory that estimates assume; written where it is not the engine's own default."""

SEQUENCES = 1024
"""Least --max-num-seqs of workers that decode; the customer's manifests carry it."""

_STEP = 8


def arguments(worker: Worker, serving: Serving, release: Release) -> tuple[str, ...]:
    """Flags and values as separate items, which is the only form the platform parses."""
    parallel, sequences = worker.parallel, _sequences(worker)
    budget = sequences if worker.role == "decode" else worker.max_num_tokens
    flags = ["--model", serving.model, "--served-model-name", serving.name]
    flags += ["--tensor-parallel-size", str(parallel.tp)]
    flags += ["--pipeline-parallel-size", str(parallel.pp)]
    flags += ["--data-parallel-size", str(parallel.dp)]
    flags += ["--enable-expert-parallel"] if parallel.moe_ep > 1 else []
    if serving.copies:
        flags += ["--enable-eplb", "--eplb-config", f'{{"num_redundant_experts":{serving.copies}}}']
    flags += ["--kv-cache-dtype", serving.kv_dtype]
    flags += [] if serving.context is None else ["--max-model-len", str(serving.context)]
    flags += ["--max-num-seqs", str(sequences), "--max-num-batched-tokens", str(max(budget, sequences))]
    flags += ["--gpu-memory-utilization", MEMORY_SHARE] if release.memory_flag else []
    flags += ["--enable-prefix-caching" if serving.prefix_caching else "--no-enable-prefix-caching"]
    flags += ["--trust-remote-code"] if serving.trust_remote_code else []
    flags += ["--kv-events-config", KV_EVENTS] if serving.kv_router else []
    return (*flags, *_role(worker, serving, release))


def _sequences(worker: Worker) -> int:
    """Requests in flight per data-parallel rank: as planned for prompts, at least twice that for decoding."""
    if worker.role == "prefill":
        return worker.batch_size
    return max(SEQUENCES, -(-2 * worker.batch_size // _STEP) * _STEP)


def _role(worker: Worker, serving: Serving, release: Release) -> tuple[str, ...]:
    if worker.role == "aggregated":
        return ()
    if release.role_flags:
        return (f"--is-{worker.role}-worker",)
    connector = LIBFABRIC_CONNECTOR if serving.libfabric else CONNECTOR
    return ("--disaggregation-mode", worker.role, "--kv-transfer-config", connector)
