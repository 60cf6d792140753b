"""One operation's measurements as sorted columns, and dense grids cut out of them.

Tables and their key columns. 16-bit floating point is always called `bf16`, sizes are plain integers, heads are those
of one GPU, `context` counts the tokens in the cache including the new one, and `past` those before the prompt.

    gemm                      gemm_dtype, n, k, m
    computescale              quant_dtype, k, m: the scale of m x k activations; scale_matrix: applying it
    context_attention         attn_dtype, kv_cache_dtype, head_dim, window_size (0: none), num_key_value_heads,
                              num_heads, batch_size, isl; generation_attention: context instead of isl
    encoder_attention         attn_dtype, head_dim, num_heads, batch_size, isl

    context_mla               mla_dtype, kv_cache_dtype, num_heads, batch_size, isl; generation_mla: context
    mla_bmm                   op_name (mla_gen_pre, mla_gen_post), bmm_dtype, num_heads, num_tokens
    wideep_context_mla        as context_mla with `kernel` (fa3, flashinfer, ...); wideep_generation_mla likewise
    mla_context_module        the whole block with its projections: architecture, model, mla_dtype, kv_cache_dtype,
                              gemm_type (of the projections), num_heads, batch_size, isl; mla_generation_module: context
    dsa_context_module        as mla_context_module with `indexer` (run, skipped) and past; dsa_generation_module
    msa_*, dsv4_csa_*, dsv4_hca_*, glm5_*
                              as dsa without `indexer`; *_topk_* have `score_mode`

    moe                       moe_dtype, distribution, hidden_size, inter_size, topk, num_experts, moe_tp_size,
                              moe_ep_size, num_tokens (of the whole group). Where an engine has several kernels for one
                              shape (TensorRT-LLM on Blackwell) there is a column `kernel`: fix it, or ask `fastest`.
    wideep_context_moe        as moe; wideep_generation_moe. Distributions: uniform, power_law_0.6 ... power_law_1.2
    wideep_moe                as moe with num_slots; distribution ends in _eplb where experts were rebalanced
    dsv4_megamoe_module       as moe with phase; dispatch, experts and combine in one
    wideep_context_mlp        quant_type, hidden_size, intermediate_size, num_token; wideep_generation_mlp

    custom_allreduce          allreduce_dtype, num_gpus, variant (graph, eager), message_size (elements of two bytes)
    nccl                      op_name (all_gather, all_reduce, alltoall, reduce_scatter), nccl_dtype, num_gpus,
                              message_size (elements)
    moe_a2a                   comm_backend, phase (dispatch, combine), comm_dtype, ep_size, node_num, hidden_size, topk,
                              num_experts, sms (0: not chosen), num_tokens (per rank)
    trtllm_alltoall           op_name (alltoall_prepare, _dispatch, _combine, _combine_low_precision), kernel
                              (NVLinkOneSided, NVLinkTwoSided), moe_dtype, hidden_size, topk, num_experts, moe_ep_size,
                              distribution, num_tokens
    wideep_deepep_normal      phase (dispatch, combine), node_num, hidden_size, num_topk, num_experts, sms,
                              num_token (per rank); wideep_deepep_ll: without sms

    gdn, kda                  part (convolution, recurrence, both), kernel, phase (context, generation, verify),
                              num_k_heads, num_v_heads, head_k_dim, head_v_dim, d_conv, batch_size, seq_len
    mamba2                    part, kernel, phase, nheads, n_groups, head_dim, d_state, d_conv, chunk_size, batch_size,
                              seq_len; published for the convolution only
    mhc_module                architecture, op_name (pre, post), hc_mult, hidden_size, num_tokens
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db.errors import AmbiguousGrid, UnknownColumn

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.int16]
ClassArray = NDArray[np.uint8]
Value = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One key column: *values* sorted and unique, *codes* of shape (rows,) pointing into them."""

    values: tuple[Value, ...]
    codes: CodeArray

    @classmethod
    def of(cls, values: Sequence[object] | NDArray[Any]) -> "Column":
        """The column of these *values*, one per row, all texts or all numbers."""
        distinct, codes = np.unique(np.asarray(values), return_inverse=True)
        return cls(values=tuple(distinct.tolist()), codes=codes.astype(np.int16))

    def present(self) -> CodeArray:
        """The codes that occur, sorted."""
        return np.flatnonzero(np.bincount(self.codes, minlength=len(self.values))).astype(np.int16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A dense block of one table: *seconds* of shape (len(axes[0]), len(axes[1]), ...), NaN where nothing was measured.

    *names* says which column each axis is, in increasing order of its values; *provenance* has the shape of *seconds*.
    """

    names: tuple[str, ...]
    axes: tuple[FloatArray, ...]
    seconds: FloatArray
    provenance: ClassArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Measurements of one operation: key columns, *seconds* and *provenance*, each of shape (rows,).

    Rows are sorted by the columns in their order, so the last column runs fastest, and no two rows have the same keys.
    """

    name: str
    columns: Mapping[str, Column]
    seconds: FloatArray
    provenance: ClassArray

    def __len__(self) -> int:
        """Rows."""
        return len(self.seconds)

    def where(self, **fixed: Value) -> "Table":
        """The rows whose columns have these values; a value never measured gives an empty table.

        Raises UnknownColumn.
        """
        mask = np.ones(len(self), dtype=bool)
        for name, value in fixed.items():
            column = self.column(name)
            mask &= column.codes == column.values.index(value) if value in column.values else False
        return self.take(np.flatnonzero(mask))

    def take(self, rows: NDArray[np.intp]) -> "Table":
        """These rows, in the order given."""
        columns = {
            name: Column(values=column.values, codes=column.codes[rows]) for name, column in self.columns.items()
        }
        return Table(name=self.name, columns=columns, seconds=self.seconds[rows], provenance=self.provenance[rows])

    def values(self, column: str) -> tuple[Value, ...]:
        """The values of *column* that occur in these rows, sorted. Raises UnknownColumn."""
        found = self.column(column)
        return tuple(found.values[code] for code in found.present())

    def column(self, name: str) -> Column:
        """The column of that name. Raises UnknownColumn."""
        try:
            return self.columns[name]
        except KeyError:
            raise UnknownColumn(self.name, name, self.columns) from None

    def numbers(self, name: str) -> FloatArray:
        """A numeric column spelled out, shape (rows,). Raises UnknownColumn."""
        column = self.column(name)
        return np.asarray(column.values, dtype=np.float64)[column.codes]

    def fastest(self, column: str) -> "Table":
        """One row per key without *column*: the fastest of those that differ in it alone, as an engine would choose.

        The same rows if there is no such column.
        """
        if column not in self.columns:
            return self
        others = {name: found for name, found in self.columns.items() if name != column}
        codes = [found.codes for found in others.values()]
        keys: list[NDArray[np.generic]] = [self.seconds, *codes[::-1]]
        order = np.lexsort(keys)
        differs = np.logical_or.reduce([code[order][1:] != code[order][:-1] for code in codes])
        first = order[np.concatenate([np.ones(min(1, len(order)), dtype=bool), differs])]
        chosen = self.take(first)
        columns = {name: found for name, found in chosen.columns.items() if name != column}
        return Table(name=self.name, columns=columns, seconds=chosen.seconds, provenance=chosen.provenance)

    def grid(self, *axes: str) -> Grid:
        """These rows as a dense block over *axes*.

        Raises UnknownColumn, or AmbiguousGrid if a column that is not an axis still has more than one value.
        """
        self._refuse_ambiguity(axes)
        places, values = [], []
        for name in axes:
            column = self.column(name)
            present = column.present()
            places.append(np.searchsorted(present, column.codes))
            values.append(np.asarray([column.values[code] for code in present], dtype=np.float64))
        shape = tuple(len(axis) for axis in values)
        seconds = np.full(shape, np.nan)
        provenance = np.zeros(shape, dtype=np.uint8)
        seconds[tuple(places)] = self.seconds
        provenance[tuple(places)] = self.provenance
        return Grid(names=axes, axes=tuple(values), seconds=seconds, provenance=provenance)

    def _refuse_ambiguity(self, axes: tuple[str, ...]) -> None:
        loose = [name for name, column in self.columns.items() if name not in axes and len(column.present()) > 1]
        if loose:
            raise AmbiguousGrid(self.name, loose)
