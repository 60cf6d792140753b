"""The support matrix as a Markdown page: models by systems, one table per engine, two signs per cell."""

from collections.abc import Mapping, Sequence

from dgdr_operator.report import figures
from estimator.coverage import FAIR, MOST_GPUS, MOST_SEQUENCES, REFERENCE, SURE, Coverage

MODELS: Mapping[str, tuple[str, ...]] = {
    "Dense": (
        "meta-llama/Llama-3.1-8B-Instruct",
        "nvidia/Llama-3.1-8B-Instruct-FP8",
        "meta-llama/Llama-3.3-70B-Instruct",
        "nvidia/Llama-3.3-70B-Instruct-FP8",
        "nvidia/Llama-3.3-70B-Instruct-NVFP4",
        "meta-llama/Llama-3.1-405B-Instruct-FP8",
        "nvidia/Llama-3_3-Nemotron-Super-49B-v1",
        "mistralai/Mistral-7B-Instruct-v0.3",
        "mistralai/Mistral-Large-Instruct-2411",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen2.5-72B-Instruct",
        "Qwen/Qwen3-8B",
        "Qwen/Qwen3-32B",
        "Qwen/Qwen3-32B-FP8",
        "nvidia/Qwen3-32B-FP8",
        "nvidia/Qwen3-32B-NVFP4",
        "XiaomiMiMo/MiMo-7B-Base",
        "google/gemma-3-27b-it",
        "bigcode/starcoder2-15b",
        "EleutherAI/gpt-neox-20b",
    ),
    "Mixture of experts": (
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        "mistralai/Mixtral-8x22B-Instruct-v0.1",
        "Qwen/Qwen3-30B-A3B",
        "Qwen/Qwen3-30B-A3B-FP8",
        "Qwen/Qwen3-235B-A22B",
        "Qwen/Qwen3-235B-A22B-FP8",
        "nvidia/Qwen3-235B-A22B-NVFP4",
        "Qwen/Qwen3-Coder-480B-A35B-Instruct",
        "Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
        "openai/gpt-oss-20b",
        "openai/gpt-oss-120b",
        "MiniMaxAI/MiniMax-M2.5",
        "nvidia/MiniMax-M2.5-NVFP4",
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
        "zai-org/GLM-4.5-Air",
        "zai-org/GLM-4.6",
    ),
    "Latent attention": (
        "deepseek-ai/DeepSeek-V2-Lite",
        "deepseek-ai/DeepSeek-V3",
        "deepseek-ai/DeepSeek-R1",
        "deepseek-ai/DeepSeek-V3.1",
        "nvidia/DeepSeek-R1-NVFP4",
        "moonshotai/Kimi-K2-Instruct",
        "moonshotai/Kimi-K2.5",
        "nvidia/Kimi-K2.5-NVFP4",
    ),
    "Sparse attention": (
        "deepseek-ai/DeepSeek-V3.2",
        "nvidia/DeepSeek-V3.2-NVFP4",
        "zai-org/GLM-5",
        "zai-org/GLM-5-FP8",
        "nvidia/GLM-5-NVFP4",
    ),
    "Linear attention and state space": (
        "Qwen/Qwen3-Next-80B-A3B-Instruct",
        "Qwen/Qwen3-Next-80B-A3B-Instruct-FP8",
        "Qwen/Qwen3.5-27B",
        "Qwen/Qwen3.5-35B-A3B",
        "Qwen/Qwen3.5-397B-A17B",
        "nvidia/Qwen3.5-397B-A17B-NVFP4",
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4",
        "nvidia/Nemotron-H-56B-Base-8K",
    ),
    "Priced like their nearest family": (
        "MiniMaxAI/MiniMax-M3",
        "stepfun-ai/Step-3.7-Flash-FP8",
    ),
}
"""The page's rows: what users run today, every family, and every data type that checkpoints come in."""
_SIGNS: Mapping[str, str] = {"measured": "●", "partly": "◐", "estimated": "○", "no": "-"}


def page(coverages: Sequence[Coverage]) -> str:
    """The whole page; *coverages* hold every one of MODELS on every system and engine that they name."""
    systems = list(dict.fromkeys(one.system for one in coverages))
    lines = [*_head(), *_measurements(coverages, systems)]
    for backend in dict.fromkeys(one.backend for one in coverages):
        cells = {(one.model, one.system): _cell(one) for one in coverages if one.backend == backend}
        lines += ["", f"## {backend}"]
        for family, models in MODELS.items():
            lines += [
                "",
                *_rows([family, *systems], [[model, *(cells[model, s] for s in systems)] for model in models]),
            ]
    return "\n".join(lines) + "\n"


_HEAD = """\
# Support matrix

Written by `dgdr support --matrix`; `make matrix` writes it again. Do not edit it.

How well measurements cover each model, system and engine. The first sign of a cell is for aggregated serving, the
second for disaggregated serving:

| sign | meaning |
|---|---|
| {measured} | at most {sure} of the time is transferred from other shapes or data types, or a formula |
| {partly} | more than that, at most {fair} |
| {estimated} | more than {fair}, or the operations are those of the nearest family |
| {no} | no worker of up to {gpus} GPUs holds the model, or one of its parts has no price at all |

The time is that of one request of {isl} tokens in and {osl} out, on the smallest worker that holds the model, with up
to {sequences} sequences decoding together, in the data types that we deploy. Elementwise kernels, which nobody
measures, do not count against a cell. The sign of disaggregated serving is that of its worse worker. Signs speak of
measurements, not of engines: whether an engine serves a model at all is the engine's to say. What stands behind a cell,
operation by operation: `dgdr support --model NAME --system NAME`.
"""


def _head() -> list[str]:
    text = _HEAD.format(
        **_SIGNS,
        sure=figures.percent(SURE),
        fair=figures.percent(FAIR),
        gpus=MOST_GPUS,
        isl=REFERENCE.isl,
        osl=REFERENCE.osl,
        sequences=MOST_SEQUENCES,
    )
    return text.split("\n")


def _measurements(coverages: Sequence[Coverage], systems: Sequence[str]) -> list[str]:
    """Which version answers for which engine and system."""
    versions = {(one.backend, one.system): one.version or figures.MISSING for one in coverages}
    engines = list(dict.fromkeys(one.backend for one in coverages))
    return _rows(
        ["measurements", *systems], [[engine, *(versions[engine, system] for system in systems)] for engine in engines]
    )


def _cell(one: Coverage) -> str:
    signs = "".join(_SIGNS[mode.verdict] for mode in one.modes.values())
    return _SIGNS["no"] if set(signs) == {_SIGNS["no"]} else signs


def _rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = "|".join(["---", *[":-:"] * (len(head) - 1)])
    return [f"| {' | '.join(head)} |", f"|{rule}|", *(f"| {' | '.join(cells)} |" for cells in body)]
