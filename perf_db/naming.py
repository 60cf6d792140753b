"""Columns of ours that published files spell otherwise: how long, which variant, which kernel, in one vocabulary."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perf_db.keys import KEYS

Frame = dict[str, NDArray[Any]]
MILLISECOND, MICROSECOND = 1e-3, 1e-6
_SYNONYMS = {"float16": "bf16", "half": "bf16", "bfloat16": "bf16", "fp8_e4m3": "fp8"}
_DTYPES = frozenset({"quant_type", "gemm_type"})
_NO_WINDOW = 0
_QUANTISATIONS = ("-FP8", "-NVFP4")
_BOTH_PARTS = frozenset({"kda_fused_decode", "fused_kda_decode", "fused_kda_decode_mtp_dspark"})


def in_our_words(name: str, frame: Frame) -> Frame:
    """The columns of table *name* as its keys call them, and `seconds`.

    Raises KeyError for a missing column and ValueError for rows whose meaning is unknown.
    """
    frame = _with_seconds(name, dict(frame))
    for key in KEYS.get(name, ()):
        if key in _DERIVED:
            frame[key] = _DERIVED[key](frame)
    if "isl" in KEYS.get(name, ()) and "past" not in KEYS[name] and (frame.get("step", np.zeros(1)) != 0).any():
        raise ValueError(f"{name} has rows with a past, and its keys have no place for one")
    return {key: _synonyms(values) if _is_dtype(key) else values for key, values in frame.items()}


def _with_seconds(name: str, frame: Frame) -> Frame:
    if name.startswith("wideep_deepep"):
        return _two_phases(frame)
    if name == "moe_a2a":  # its column `latency` repeats the sum of the two in microseconds
        frame["seconds"] = (frame["transmit_us"] + frame["notify_us"]) * MICROSECOND
        return frame
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


def _window(frame: Frame) -> NDArray[Any]:
    return frame.get("window_size", np.full(len(frame["seconds"]), _NO_WINDOW, dtype=np.int64))


def _context(frame: Frame) -> NDArray[Any]:
    """Tokens that decode attention looks at, the new one included."""
    tokens: NDArray[Any] = frame["isl"] + frame["step"]
    return tokens


def _variant(frame: Frame) -> NDArray[Any]:
    """All-reduce rows are timed inside a CUDA graph unless they say eager."""
    told = frame["backend"] if "backend" in frame else frame["kernel_source"]
    return _choice(np.char.find(told.astype(str), "eager") >= 0, "eager", "graph")


def _indexer(frame: Frame) -> NDArray[Any]:
    """GLM-5.2 lets most layers reuse the tokens that an earlier layer's indexer chose."""
    return _choice(np.char.find(frame["op_name"].astype(str), "skip_indexer") >= 0, "skipped", "run")


def _part(frame: Frame) -> NDArray[Any]:
    """A linear-attention layer is a short convolution and a recurrence; some kernels do both at once."""
    kernel = frame["kernel_source"].astype(str)
    parts = _choice(np.char.find(kernel, "conv1d") >= 0, "convolution", "recurrence")
    return np.where(np.isin(kernel, list(_BOTH_PARTS)), "both", parts).astype(object)


def _model(frame: Frame) -> NDArray[Any]:
    """The model without its owner and its quantisation: gemm_type says that one."""
    named, places = np.unique(frame["model"].astype(str), return_inverse=True)
    return np.array([_short(name) for name in named], dtype=object)[places]


def _short(name: str) -> str:
    short = name.rsplit("/", 1)[-1]
    for suffix in _QUANTISATIONS:
        short = short.removesuffix(suffix)
    return short


def _choice(mask: NDArray[np.bool_], yes: str, no: str) -> NDArray[Any]:
    return np.where(mask, yes, no).astype(object)


_DERIVED: Mapping[str, Callable[[Frame], NDArray[Any]]] = {
    "window_size": _window,
    "context": _context,
    "past": lambda frame: frame["step"],
    "variant": _variant,
    "indexer": _indexer,
    "part": _part,
    "model": _model,
    "kernel": lambda frame: frame["kernel_source"],
}


def _is_dtype(key: str) -> bool:
    return key.endswith("_dtype") or key in _DTYPES


def _synonyms(values: NDArray[Any]) -> NDArray[Any]:
    named, places = np.unique(values.astype(str), return_inverse=True)
    return np.array([_SYNONYMS.get(name, name) for name in named.tolist()], dtype=object)[places]
