"""How the rows of a published file become a table of ours: what is key, what is time, and who measured it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db.pack import PackName
from perf_db.provenance import Provenance
from perf_db.table import ClassArray, Column, FloatArray, Table

Frame = dict[str, NDArray[Any]]
MILLISECOND, MICROSECOND = 1e-3, 1e-6

_ATTENTION = (
    "attn_dtype",
    "kv_cache_dtype",
    "head_dim",
    "window_size",
    "num_key_value_heads",
    "num_heads",
    "batch_size",
)
_MLA = ("mla_dtype", "kv_cache_dtype", "num_heads", "batch_size")
_MOE = (
    *("moe_dtype", "distribution", "hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size"),
    "num_tokens",
)
_MLP = ("quant_type", "hidden_size", "intermediate_size", "num_token")
_DEEPEP = ("phase", "node_num", "hidden_size", "num_topk", "num_experts")
KEYS: Mapping[str, Sequence[str]] = {
    "gemm": ("gemm_dtype", "n", "k", "m"),
    "context_attention": (*_ATTENTION, "isl"),
    "generation_attention": (*_ATTENTION, "context"),
    "context_mla": (*_MLA, "isl"),
    "generation_mla": (*_MLA, "context"),
    "wideep_context_mla": (*_MLA, "isl"),
    "wideep_generation_mla": (*_MLA, "context"),
    "mla_bmm": ("op_name", "bmm_dtype", "num_heads", "num_tokens"),
    "moe": _MOE,
    "wideep_context_moe": _MOE,
    "wideep_generation_moe": _MOE,
    "wideep_context_mlp": _MLP,
    "wideep_generation_mlp": _MLP,
    "custom_allreduce": ("allreduce_dtype", "num_gpus", "variant", "message_size"),
    "nccl": ("op_name", "nccl_dtype", "num_gpus", "message_size"),
    "wideep_deepep_normal": (*_DEEPEP, "sms", "num_token"),
    "wideep_deepep_ll": (*_DEEPEP, "num_token"),
}
_NEVER_KEYS = frozenset({
    *("framework", "version", "device", "kernel_source", "beam_width", "tp_size", "seconds", "latency", "avg_ms"),
    *("power", "power_limit"),
})  # fmt: skip
_SIXTEEN_BITS = frozenset({"float16", "half", "bfloat16"})
_DTYPES = frozenset({"quant_type", "gemm_type", "quant_dtype", "kernel_dtype"})
_UNUSED_GEMMS = frozenset({"awq", "gptq"})  # weight-only formats no engine here resolves a checkpoint to
_NO_WINDOW = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One file as a table, with the rows that were left out: repeated keys, and rows without a usable time."""

    table: Table
    repeated: int
    unusable: int
    devices: tuple[str, ...]


def tidy(name: str, frame: Frame, pack: PackName) -> Reading:
    """The rows of one published file as table *name* of *pack*; of rows with equal keys the first stays.

    Raises KeyError for a missing column and ValueError for rows whose meaning is unknown.
    """
    devices = tuple(sorted({str(device) for device in frame.get("device", ())}))
    frame = _with_seconds(name, dict(frame))
    usable = np.isfinite(frame["seconds"])
    if "gemm_dtype" in frame:
        usable &= ~np.isin(frame["gemm_dtype"].astype(str), list(_UNUSED_GEMMS))
    frame = {column: values[usable] for column, values in frame.items()}
    _name_tokens(name, frame)
    _name_variant(name, frame)
    table, repeated = _table(name, frame, _classes(frame, pack))
    return Reading(table=table, repeated=repeated, unusable=int((~usable).sum()), devices=devices)


def _with_seconds(name: str, frame: Frame) -> Frame:
    if name.startswith("wideep_deepep"):
        return _two_phases(frame)
    unit = "latency" if "latency" in frame else "avg_ms"
    frame["seconds"] = frame[unit].astype(np.float64) * MILLISECOND
    return frame


def _two_phases(frame: Frame) -> Frame:
    """A row that times dispatch and combine becomes two rows; a phase lasts as long as its parts together."""
    halves = []
    for phase in ("dispatch", "combine"):
        half = {key: values for key, values in frame.items() if not key.startswith(("dispatch_", "combine_"))}
        parts = [frame[key] for key in frame if key.startswith(f"{phase}_") and key.endswith("_us")]
        half["seconds"] = np.sum(parts, axis=0) * MICROSECOND
        half["phase"] = np.full(len(half["seconds"]), phase, dtype=object)
        if f"{phase}_sms" in frame:
            half["sms"] = frame[f"{phase}_sms"]
        halves.append(half)
    return {key: np.concatenate([half[key] for half in halves]) for key in halves[0]}


def _name_tokens(name: str, frame: Frame) -> None:
    """Say in one column how many tokens attention looks at: *isl* in prefill, *context* in decode."""
    keys = KEYS.get(name, ())
    if "window_size" in keys:
        frame.setdefault("window_size", np.full(len(frame["seconds"]), _NO_WINDOW, dtype=np.int64))
    if "context" in keys:
        frame["context"] = frame["isl"] + frame["step"]
    elif "isl" in keys and (frame["step"] != 0).any():
        raise ValueError(f"{name} has rows with a past, and its keys have no place for one")


def _name_variant(name: str, frame: Frame) -> None:
    """All-reduce rows are timed inside a CUDA graph unless they say eager."""
    if name == "custom_allreduce":
        told = frame["backend"] if "backend" in frame else frame["kernel_source"]
        frame["variant"] = np.where(np.char.find(told.astype(str), "eager") >= 0, "eager", "graph").astype(object)


def _classes(frame: Frame, pack: PackName) -> ClassArray:
    """MEASURED by this engine and version, REUSED from another version, SIBLING when the rows name another engine."""
    rows = len(frame["seconds"])
    if pack.backend == "nccl" or "framework" not in frame:
        return np.full(rows, Provenance.MEASURED, dtype=np.uint8)
    engine = np.char.replace(np.char.lower(frame["framework"].astype(str)), "-", "")
    same_version = np.char.partition(frame["version"].astype(str), "+")[:, 0] == pack.version
    own = np.where(same_version, Provenance.MEASURED, Provenance.REUSED)
    return np.where(engine == pack.backend, own, Provenance.SIBLING).astype(np.uint8)


def _table(name: str, frame: Frame, classes: ClassArray) -> tuple[Table, int]:
    """Sorted by keys, the first of equal keys kept; the kernel becomes a key only if two kernels timed the same key."""
    columns = {key: _column(key, frame[key]) for key in _key_names(name, frame)}
    order, first = _order(columns)
    if "kernel_source" in frame:
        kernel = _column("kernel", frame["kernel_source"])
        if (kernel.codes[order][1:] != kernel.codes[order][:-1])[~first[1:]].any():
            columns = {"kernel": kernel} | columns
            order, first = _order(columns)
    kept = order[first]
    seconds: FloatArray = frame["seconds"]
    table = Table(name=name, columns=columns, seconds=seconds, provenance=classes).take(kept)
    return table, len(order) - len(kept)


def _key_names(name: str, frame: Frame) -> Sequence[str]:
    if name in KEYS:
        return KEYS[name]
    loose = [key for key in frame if key not in _NEVER_KEYS]
    return [key for key in loose if key != "op_name" or len(set(frame[key])) > 1]


def _column(key: str, values: NDArray[np.generic]) -> Column:
    if key.endswith("_dtype") or key in _DTYPES:
        values = np.where(np.isin(values.astype(str), list(_SIXTEEN_BITS)), "bf16", values.astype(str))
    if values.dtype == object:
        values = values.astype(str)
    distinct, codes = np.unique(values, return_inverse=True)
    return Column(values=tuple(distinct.tolist()), codes=codes.astype(np.int16))


def _order(columns: Mapping[str, Column]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """A stable order by all keys, and which rows in that order are the first of their key."""
    codes = [column.codes for column in columns.values()]
    order = np.lexsort(codes[::-1])
    differs = np.logical_or.reduce([code[order][1:] != code[order][:-1] for code in codes])
    return order, np.concatenate([np.ones(min(1, len(order)), dtype=bool), differs])
