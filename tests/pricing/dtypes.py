"""The types of a worker whose matrices are all stored alike."""

from estimator.quantization import Dtypes


def all_in(weights: str, kv: str) -> Dtypes:
    """Every matrix in *weights*, the cache in *kv*, attention in 16 bits."""
    roles = dict.fromkeys(("gemm", "attention_gemm", "output_gemm", "experts", "shared"), weights)
    return Dtypes(**roles, kv=kv, attention="bf16", origin={})
