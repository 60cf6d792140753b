"""What the environment may say to the operator."""

import pytest

from dgdr_operator import settings
from dgdr_operator.errors import InvalidSetting
from dgdr_operator.request import ModelCache, NewClaim
from dgdr_operator.settings import FabricSettings, Settings


def test_silence_means_the_defaults() -> None:
    assert settings.read({"HOME": "/root"}) == Settings(engine_env={"vllm": {}, "sglang": {}, "trtllm": {}})


def test_every_variable_finds_its_place() -> None:
    read = settings.read({
        "DGDR_DYNAMO_VERSION": "1.3.0",
        "DGDR_REGISTRY": "registry.local/dynamo/",
        "DGDR_HF_SECRET": "",
        "DGDR_MODEL_CACHE_CLAIM": "weights",
        "DGDR_SHARED_MEMORY_VLLM": "32Gi",
        "DGDR_ENGINE_ENV_VLLM": "NCCL_CUMEM_ENABLE=1,A=b=c",
        "DGDR_FABRIC_RESOURCE": "rdma/mlx5",
        "DGDR_FABRIC_WITHOUT_RDMA": "allow",
        "DGDR_FABRIC_IB_ADDRESS": "",
        "DGDR_FABRIC_BANDWIDTH_IB": "40",
    })  # fmt: skip

    assert (read.dynamo_version, read.registry, read.hf_secret) == ("1.3.0", "registry.local/dynamo", "")
    assert read.model_cache == ModelCache(claim="weights", mount="/opt/models")
    assert read.shared_memory["vllm"] == "32Gi"
    assert read.engine_env["vllm"] == {"NCCL_CUMEM_ENABLE": "1", "A": "b=c"}
    wire = FabricSettings(resource="rdma/mlx5", without_rdma="allow", ib_address=None)
    assert (read.fabric.resource, read.fabric.without_rdma, read.fabric.ib_address) == (
        wire.resource,
        wire.without_rdma,
        wire.ib_address,
    )
    assert read.fabric.bandwidth["ib"] == pytest.approx(40e9)


def test_what_all_pods_get_is_read_from_lists() -> None:
    read = settings.read({
        "DGDR_IMAGE_PULL_SECRETS": "registry, mirror",
        "DGDR_NODE_SELECTOR": "pool=gpu",
        "DGDR_TOLERATIONS": "gpu:NoSchedule,team=a:NoExecute,any",
        "DGDR_MODEL_CACHE_CLAIM": "weights",
        "DGDR_MODEL_CACHE_CREATE": "500Gi,fast",
        "DGDR_FABRIC_ENV": "UCX_IB_REG_METHODS=odp,rcache;UCX_RC_TIMEOUT=600s",
    })  # fmt: skip

    assert read.pods.pull_secrets == ("registry", "mirror")
    assert read.pods.node_selector == {"pool": "gpu"}
    assert read.pods.tolerations == (
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute"},
        {"key": "any", "operator": "Exists"},
    )
    assert read.model_cache is not None
    assert read.model_cache.creation == NewClaim(size="500Gi", storage_class="fast", access_mode="ReadWriteMany")
    assert read.fabric.env == {"UCX_IB_REG_METHODS": "odp,rcache", "UCX_RC_TIMEOUT": "600s"}


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("DGDR_TOLERATIONS", "gpu:Sometimes", "must look like key:NoSchedule"),
        ("DGDR_FABRIC_WITHOUT_RDMA", "alow", "did you mean allow?"),
        ("DGDR_FABRIC_PROFILE", "infiniband", "must be auto or ib"),
        ("DGDR_FABRIC_SHARED_COUNT", "many", "must be a positive number, not 'many'"),
        ("DGDR_FABRIC_SHARED_COUNT", "nan", "must be a positive number, not 'nan'"),
        ("DGDR_FABRIC_BANDWIDTH_IB", "-1", "must be a positive number, not '-1'"),
        ("DGDR_ENGINE_ENV_VLLM", "A", "must look like NAME=value"),
        ("DGDR_MODEL_CACHE_MOUNT", "models", "must be an absolute path"),
    ],
)
def test_a_wrong_setting_names_its_variable(name: str, value: str, problem: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        settings.read({name: value})

    assert refused.value.name == name
    assert problem in str(refused.value)
