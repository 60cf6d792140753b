"""One operation's measurements as sorted columns, and dense grids cut out of them.

Tables and their key columns (a dtype of 16-bit floating point is always called `bf16`; sizes are plain integers):

    gemm                      gemm_dtype, n, k, m
    context_attention         attn_dtype, kv_cache_dtype, head_dim, window_size, num_key_value_heads, num_heads, batch_size, isl
    generation_attention      the same with `context` (tokens in the cache including the new one) instead of isl
    moe, wideep_*_moe         moe_dtype, distribution, hidden_size, inter_size, topk, num_experts, moe_tp_size, moe_ep_size,
                              num_tokens (of the whole group)
    context_mla               mla_dtype, kv_cache_dtype, num_heads (local), batch_size, isl
    generation_mla            the same with `context` instead of isl; wideep_*_mla have `kernel` too
    mla_bmm                   op_name (mla_gen_pre, mla_gen_post), bmm_dtype, num_heads, num_tokens
    custom_allreduce          allreduce_dtype, num_gpus, variant (graph, eager), message_size (elements of two bytes)
    nccl                      op_name, nccl_dtype, num_gpus, message_size (elements of two bytes)
    wideep_*_mlp              quant_type, hidden_size, intermediate_size, num_token
    wideep_deepep_{ll,normal} phase (dispatch, combine), node_num, hidden_size, num_topk, num_experts, [sms], num_token (per rank)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]
ClassArray = NDArray[np.uint8]
Value = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One key column: *values* sorted and unique, *codes* of shape (rows,) pointing into them."""

    values: tuple[Value, ...]
    codes: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A dense block of one table: *seconds* of shape (len(axes[0]), len(axes[1]), ...), NaN where nothing was measured.

    *names* says which column each axis is; *provenance* has the shape of *seconds*.
    """

    names: tuple[str, ...]
    axes: tuple[FloatArray, ...]
    seconds: FloatArray
    provenance: ClassArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Measurements of one operation: key columns, *seconds* and *provenance*, each of shape (rows,)."""

    name: str
    columns: Mapping[str, Column]
    seconds: FloatArray
    provenance: ClassArray

    def __len__(self) -> int:
        """Rows."""
        return len(self.seconds)

    def where(self, **fixed: Value) -> "Table":
        """The rows whose columns have these values; an unknown value gives an empty table, an unknown column UnknownColumn."""
        raise NotImplementedError

    def values(self, column: str) -> tuple[Value, ...]:
        """The values of *column* that occur in these rows, sorted."""
        raise NotImplementedError

    def grid(self, *axes: str) -> Grid:
        """These rows as a dense block over *axes*.

        Raises AmbiguousGrid if a column that is not an axis still has more than one value.
        """
        raise NotImplementedError
