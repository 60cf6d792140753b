"""Where a pod finds the model and its scratch space: claim, path, cache folder, shared memory."""

from collections.abc import Mapping

from dgdr_operator.manifest.parts import Volume
from dgdr_operator.request import ModelCache
from estimator.estimates import Worker

CACHE_VOLUME = "model-cache"

LARGE_SHARED_MEMORY = "80Gi"
"""For SGLang workers that span nodes or hold experts: their collectives stage through /dev/shm."""


def volumes(cache: ModelCache | None) -> tuple[Volume, ...]:
    """The model cache, mounted on every component."""
    if cache is None:
        return ()
    return (Volume(name=CACHE_VOLUME, path=cache.mount, source=cache.claim, creation=cache.creation),)


def environment(cache: ModelCache | None) -> dict[str, str]:
    """HF_HOME is the mount: a cache folder elsewhere would fill the container instead of the claim."""
    return {} if cache is None else {"HF_HOME": cache.mount}


def model_argument(model: str, cache: ModelCache | None) -> str:
    """What the engine opens: the folder inside the claim when the request names one, else the model's id."""
    if cache is None or cache.model_path is None:
        return model
    path = cache.model_path.rstrip("/")
    if path == cache.mount or path.startswith(f"{cache.mount}/"):
        return path
    return f"{cache.mount}/{path.lstrip('/')}" if path.strip("/") else cache.mount


def shared_memory(backend: str, worker: Worker, nodes: int, sizes: Mapping[str, str]) -> str:
    """The size of /dev/shm, as a quantity."""
    wide = nodes > 1 or worker.parallel.moe_ep * worker.parallel.moe_tp > 1
    return LARGE_SHARED_MEMORY if backend == "sglang" and wide else sizes[backend]
