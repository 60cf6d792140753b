"""Requests to be read: a good one, and ways to spoil it."""

from typing import Any


def body(*, version: str = "v1beta1", name: str = "qwen32b", annotations: Any = None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 -- spoilt on purpose
    """A v1beta1 request with *spec* laid over the only field that is needed."""
    metadata: dict[str, Any] = {"name": name, "namespace": "inference"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {
        "apiVersion": f"nvidia.com/{version}",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": metadata,
        "spec": {"model": "Qwen/Qwen3-32B-FP8", **spec},
    }
