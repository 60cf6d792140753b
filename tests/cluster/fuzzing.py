"""Random bodies of requests: sensible ones, mutilated ones, and nonsense."""

from __future__ import annotations

import random
import string
from typing import Any

from dgdr_operator.request import OWN
from tests.fakes.asked import Json, Object

SKUS = ["h200_sxm", "h100_sxm", "b200_sxm", "a100_sxm", "gb200", "l40s", "h200_smx", "", "H200"]
TEXTS = [
    "",
    " ",
    "NaN",
    "1e999",
    "-0",
    "null",
    "../../etc",
    "\u202etxt",
    "😀" * 20,
    "x" * 300,
    "{{ .Values }}",
    "--flag",
    "\x00",
]
NUMBERS = [0, 1, -1, 2, 8, 64, 4000, 10**6, 2**31, 2**63, 10**30, 0.5, -2.5, 1e-300, 1e300]
LIMITS = [0, -1, 900, 4000, 10**30, "fast", None, 1e300]
"""Promises, in milliseconds."""
FIELDS: dict[str, list[Any]] = {
    "model": ["Qwen/Qwen3-32B-FP8", "Qwen/Qwen3-33B", "deepseek-ai/DeepSeek-R1", "a/b/c", "meta-llama/Llama-3.1-8B"],
    "backend": ["vllm", "sglang", "trtllm", "auto", "tgi"],
    "searchStrategy": ["rapid", "thorough", "slow"],
    "autoApply": [True, False, "yes"],
}
NESTED: dict[str, dict[str, list[Any]]] = {
    "workload": {"isl": NUMBERS, "osl": NUMBERS, "concurrency": NUMBERS, "requestRate": NUMBERS},
    "sla": {
        "ttft": LIMITS,
        "itl": LIMITS,
        "e2eLatency": LIMITS,
        "optimizationType": ["latency", "throughput", "luck"],
    },
    "hardware": {"gpuSku": SKUS, "totalGpus": NUMBERS, "numGpusPerNode": NUMBERS, "vramMb": NUMBERS},
    "modelCache": {"pvcName": ["models", *TEXTS], "pvcModelPath": ["a/b", *TEXTS], "pvcMountPath": ["/m", *TEXTS]},
    "features": {"mocker": [{"enabled": True}, {}, 3], "planner": [{"enabled": True}, {}, []]},
    "overrides": {"dgd": [{"spec": {}}, {"spec": {"components": [{}]}}, "x" * 1000, {"a": {"b": {"c": [1, None]}}}]},
    "kvRouter": {"enabled": [True, False, "no"]},
}
ANNOTATIONS = [
    "drift",
    "mode",
    "pause",
    "retry",
    "approve",
    "rollback",
    "pin",
    "replan-policy",
    "confidence",
    "nonsense",
]

KNOWN = 0.5
"""Share of requests that ask what has been asked before, as in every cluster."""
SETTLED = ("RollbackUnknown", "Paused")
"""Reasons of Synced with which a request waits for its author."""


def outcome(request: Object) -> str:
    """How it ended: its phase, or why it waits for its author; "" while it is under way."""
    if (request["metadata"].get("annotations") or {}).get(f"{OWN}/mode") in ("ignore", "plugin"):
        return "Left"
    status = request.get("status") or {}
    waits = [one["reason"] for one in status.get("conditions") or () if one.get("reason") in SETTLED]
    phase = str(status.get("phase", ""))
    return phase if phase in ("Failed", "Ready", "Deploying", "Deployed") else (waits or [""])[0]


class Dice:
    """Makes the same bodies from the same *seed*. *wild*: how much is nonsense, 0 to 1."""

    def __init__(self, seed: int, wild: float = 0.5) -> None:
        self._random = random.Random(seed)
        self._wild = wild
        self._known = [self.spec() for _ in range(20)]

    def request(self, name: str, namespace: str) -> Json:
        """A body with valid metadata, as every API server insists on."""
        dice = self._random
        metadata: Object = {"name": name, "namespace": namespace}
        if dice.random() < 0.2:
            key = f"{OWN}/{dice.choice(ANNOTATIONS)}"
            metadata["annotations"] = {key: dice.choice(["true", "false", "correct", "owner", *TEXTS[:11]])}
        return {
            "apiVersion": "nvidia.com/v1beta1",
            "kind": "DynamoGraphDeploymentRequest",
            "metadata": metadata,
            "spec": self._random.choice(self._known) if dice.random() < KNOWN else self.spec(),
        }

    def spec(self) -> Json:
        """A spec; rarely something else altogether."""
        dice = self._random
        if dice.random() < 0.03 * self._wild:
            return self.anything(2)
        spec: Object = {"model": "Qwen/Qwen3-32B-FP8", "backend": "vllm"}
        spec["hardware"] = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 8}
        for _ in range(dice.randrange(4)):
            self._change(spec)
        return spec

    def _change(self, spec: Object) -> None:
        dice = self._random
        if dice.random() < 0.15 * self._wild:
            spec[dice.choice([*FIELDS, *NESTED, "wrokload", "x" * 50])] = self.anything(3)
        elif dice.random() < 0.3:
            field = dice.choice(list(FIELDS))
            spec[field] = dice.choice(FIELDS[field])
        else:
            field = dice.choice(list(NESTED))
            inner = spec.setdefault(field, {})
            if isinstance(inner, dict):
                name = dice.choice(list(NESTED[field]))
                inner[name] = self.anything(2) if dice.random() < 0.2 * self._wild else dice.choice(NESTED[field][name])

    def anything(self, depth: int) -> Json:
        """Any JSON."""
        dice = self._random
        kind = dice.randrange(7 if depth else 5)
        if kind < 5:
            printed = "".join(dice.choices(string.printable, k=dice.randrange(30)))
            plain: list[list[Any]] = [NUMBERS, TEXTS, [printed], [None, True, False], [[], {}]]
            return dice.choice(plain[kind])
        if kind == 5:
            return [self.anything(depth - 1) for _ in range(dice.randrange(4))]
        return {dice.choice([*TEXTS[:9], *FIELDS, "a"]): self.anything(depth - 1) for _ in range(dice.randrange(4))}
