"""Requests of every kind that the definition allows, and nodes of every kind that a cluster may have."""

from typing import Any

from hypothesis import strategies as st

from tests.journey.nodes import node

TIMES = st.floats(0.01, 1e6)
MODELS = ("Qwen/Qwen3-32B-FP8", "meta-llama/Llama-3.1-8B-Instruct")
COUNTS = st.integers(1, 16) | st.sampled_from([96, 128, 2**31 - 1])
LENGTHS = st.integers(1, 50_000) | st.just(2**31 - 1)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
SWITCHES = st.fixed_dictionaries({}, optional={"enabled": st.booleans()})
TEXTS = st.sampled_from(["x", "main", "worker", "--flag", "8", "rdma/ib", "UCX_TLS", "16Gi", ""])

FIELDS = st.sampled_from([
    "name", "replicas", "args", "command", "env", "image", "resources", "limits", "requests", "custom", "gpu",
    "nvidia.com/gpu", "rdma/ib", "multinode", "nodeCount", "podTemplate", "spec", "containers", "volumes",
    "volumeMounts", "mountPath", "mountPoint", "extraPodSpec", "mainContainer", "envs", "sharedMemory", "size",
    "sharedMemorySize", "type", "componentType", "services", "components", "Frontend", "worker", "VLLMWorker",
    "prefill", "runtimeVersionOverride", "$patch", "backendFramework", "restart", "pvcs", "value",
])  # fmt: skip
TREES = st.recursive(
    TEXTS | st.integers(-1, 9) | st.booleans(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(FIELDS, below, max_size=3),
    max_leaves=8,
)
"""Trees made of the words of a graph, mostly in the wrong places."""

CONTAINERS = st.fixed_dictionaries(
    {"name": st.just("main")},
    optional={
        "args": st.lists(st.sampled_from(["--enforce-eager", "--max-num-seqs", "8"]), max_size=3),
        "env": st.just([{"name": "NCCL_DEBUG", "value": "INFO"}]),
        "$patch": st.just({"args": "append"}),
        "resources": st.just({"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}),
    },
)
COMPONENTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["worker", "Frontend", "prefill", "VllmDecodeWorker", "Planner"])},
    optional={
        "replicas": st.integers(0, 9),
        "podTemplate": st.builds(lambda main: {"spec": {"containers": [main]}}, CONTAINERS),
    },
)
CHANGES = st.fixed_dictionaries({}, optional={"components": st.lists(COMPONENTS, max_size=2)}) | TREES
GRAPHS = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from(["nvidia.com/v1beta1", "nvidia.com/v1alpha1"]),
        "kind": st.just("DynamoGraphDeployment"),
    },
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"name": NAMES, "labels": st.just({"team": "a"})}),
        "spec": CHANGES,
    },
)
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["agg", "disagg", "prefill", "decode"]),
        "backend": st.sampled_from(["vllm", "sglang", "mocker"]),
        "max_gpu_budget": st.integers(-1, 64),
        "advisory": st.booleans(),
        "optimization_target": TEXTS,
    },
)
"""What a planner may be told; it is passed on as it is."""

SPECS = st.fixed_dictionaries(
    {
        "model": st.sampled_from([*MODELS, *MODELS, "unknown/model"]),
        "hardware": st.fixed_dictionaries(
            {"gpuSku": st.sampled_from(["h200_sxm", "h200_sxm", "h100_sxm", "l4"]), "totalGpus": COUNTS},
            optional={"numGpusPerNode": COUNTS, "vramMb": st.floats(1, 1e6), "rdma": st.booleans()},
        )
        | st.just({}),
    },
    optional={
        "backend": st.sampled_from(["auto", "vllm", "sglang", "trtllm"]),
        "image": st.sampled_from(["x/y:0.8.0", "x/y:1.0.1", "x/y:1.4.0", "x/y:1.6.1", "x/y:9.0.0", "x/y:0.1.0"]),
        "workload": st.fixed_dictionaries(
            {}, optional={"isl": LENGTHS, "osl": LENGTHS, "concurrency": st.floats(1e-6, 1e12)}
        ),
        "sla": st.fixed_dictionaries({}, optional={"ttft": TIMES, "itl": TIMES}) | st.just({"e2eLatency": 9000}),
        "features": st.fixed_dictionaries({}, optional={"mocker": SWITCHES, "kvRouter": SWITCHES, "planner": ORDERS}),
        "modelCache": st.fixed_dictionaries(
            {"pvcName": st.just("models")},
            optional={"pvcModelPath": st.sampled_from(["a", "/a/b/"]), "pvcMountPath": st.just("/opt/models")},
        ),
        "overrides": st.fixed_dictionaries({}, optional={"dgd": GRAPHS, "trustRemoteCode": st.booleans()}),
    },
)
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "disagg-without-rdma": st.sampled_from(["refuse", "intra-node", "allow"]),
        "fabric": st.sampled_from(["auto", "none", "ib=rdma/ib", "efa", "roce-gke", "shared_ib=rdma/x"]),
        "dgd-api": st.sampled_from(["auto", "v1alpha1", "v1beta1"]),
        "kv-router": st.sampled_from(["true", "false"]),
        "context-limit": st.sampled_from(["planned", "model"]),
        "hf-secret": st.sampled_from(["", "token"]),
        "pin": st.sampled_from(
            ["", "mode=agg", "tp=2", "prefill.tp=2,decode.workers=1", "workers=3", "batch=1", "ep=4"]
        ),
        "eplb": st.sampled_from(["true", "false"]),
        "on-infeasible": st.sampled_from(["fail", "best-effort"]),
        "on-unsupported": st.sampled_from(["fail", "memory-fit"]),
    },
)
BODIES = st.builds(
    lambda name, own, asked: {
        "metadata": {"name": name, "annotations": {f"dgdr-operator.io/{key}": value for key, value in own.items()}},
        "spec": asked,
    },
    NAMES,
    ANNOTATIONS,
    SPECS,
)
PODS = st.fixed_dictionaries({}, optional={"tolerations": st.just([{"key": "a", "operator": "Exists"}])})
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "sla": st.fixed_dictionaries(
            {}, optional={"ttft": TIMES, "itl": TIMES, "isl": LENGTHS, "osl": LENGTHS, "optimizationType": TEXTS}
        ),
        "deployment": st.fixed_dictionaries(
            {},
            optional={
                "modelCache": st.fixed_dictionaries(
                    {"pvcName": st.just("models")}, optional={"modelPathInPvc": st.sampled_from(["a", "/a/b/"])}
                )
            },
        ),
        "planner": ORDERS,
        "sweep": TREES,
    },
)
ALPHA_SPECS = st.fixed_dictionaries(
    {
        "model": st.sampled_from([*MODELS, *MODELS, "unknown/model"]),
        "backend": st.sampled_from(["auto", "vllm", "vllm", "sglang", "trtllm"]),
        "profilingConfig": st.builds(
            lambda image, config, pods: {"profilerImage": image, "config": config, **pods},
            st.sampled_from(["x/y:0.8.0", "x/y:1.0.1", "x/y:1.4.0", "x/y:9.0.0", "x/y:0.1.0", "x/y:latest"]),
            CONFIGS,
            PODS,
        ),
    },
    optional={
        "autoApply": st.booleans(),
        "useMocker": st.booleans(),
        "enableGpuDiscovery": st.booleans(),
        "runtimeVersionOverride": st.sampled_from(["1.2.0", "0.9.1"]),
        "deploymentOverrides": st.fixed_dictionaries(
            {}, optional={"name": NAMES, "labels": st.just({"team": "a"}), "workersImage": st.just("x/y:1.3.0")}
        ),
    },
)
"""What a v1alpha1 request may say: no hardware, which the nodes have to tell, and a configuration that is free."""

ALPHA_BODIES = st.builds(
    lambda name, own, asked: {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": name, "annotations": {f"dgdr-operator.io/{key}": value for key, value in own.items()}},
        "spec": asked,
    },
    NAMES,
    ANNOTATIONS,
    ALPHA_SPECS,
)
DEVICES: list[dict[str, Any]] = [
    {},
    {"rdma/ib": "8"},
    {"rdma/hca_shared_devices_a": "1k"},
    {"vpc.amazonaws.com/efa": "32"},
    {f"networking.gke.io.networks/rdma-{number}": "1" for number in range(8)},
]
WORLDS: st.SearchStrategy[list[dict[str, Any]] | None] = (
    st.none()
    | st.just([])
    | st.builds(
        lambda product, devices, count: [node(product, 8, devices=devices)] * count,
        st.sampled_from(["NVIDIA-H200", "NVIDIA-H100-80GB-HBM3", "NVIDIA-H20"]),
        st.sampled_from(DEVICES),
        st.integers(1, 4),
    )
)
