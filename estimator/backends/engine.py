"""What the estimator must know about an inference engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from estimator.parallelism import Parallel

Pairing = Literal["equal", "multiple", "any"]
Policy = Literal["decode_first", "prompt_only", "whole_prompts"]
FractionRule = Callable[[float, int, Parallel], float]
BudgetRule = Callable[[int, int], int]
SplitRule = Callable[[Parallel], bool]
DtypeRule = Callable[[str, int], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Time the CPU adds, seconds.

    per_decode_step: lower bound of a captured step (hidden under GPU time); per_prompt_layer: added per layer to a
    step that holds prompt tokens, whose kernels are launched one by one; frontend: HTTP, tokenizer and routing
    in the time to first token; between_steps: added to every step, what scheduling and sampling leave unhidden;
    captured_kernel: constant of an elementwise kernel inside a captured graph.
    """

    per_decode_step: float
    per_prompt_layer: float
    frontend: float
    between_steps: float
    captured_kernel: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One inference engine.

    policy: how a step is composed; token_budget: (isl, batch) -> tokens that one step may hold, as our manifests
    configure it; activation_scale: bytes of activations per token and attention width, by tp
    (experts_scale times that with a mixture of experts); memory_fraction:
    (capacity, chunk, parallel) -> share of GPU memory the engine takes (of what is left if
    fraction_of_free); cache_margin: share lost to fragmentation; admission_share: part of osl reserved when a request
    is admitted; default_kv: cache type when no flag is set ("checkpoint": what the checkpoint declares);
    fp8_attention: prefill attention may multiply in 8 bits; pairing: which tensor sizes of decode workers can
    take keys and values from a prefill worker (the same, a multiple of its, any); splits: whether it can split a
    mixture of experts so; experts_dtype: (stored type, compute capability x 10) -> type that experts multiply in.
    """

    name: str
    policy: Policy
    token_budget: BudgetRule
    host: Host
    activation_scale: Mapping[int, float]
    experts_scale: float
    activation_floor: float
    activation_margin: float
    reserve_scale: float
    memory_fraction: FractionRule
    fraction_of_free: bool
    cache_margin: float
    cache_block: int
    admission_share: float
    max_sequences: int
    default_kv: Literal["bf16", "checkpoint"]
    fp8_attention: bool
    pairing: Pairing
    splits: SplitRule
    experts_dtype: DtypeRule

    def prompt_step(self, prompt: int, budget: float, decoding: float) -> tuple[float, float]:
        """Tokens of a *prompt* in a step of that *budget*, at least one, and how many of the *decoding* are beside."""
        # Where prompts pause decoding, nothing decodes beside them.
        beside = 0.0 if self.policy == "prompt_only" else decoding
        return max(min(budget - beside, float(prompt)), 1.0), beside
