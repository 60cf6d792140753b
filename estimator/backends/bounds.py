"""What the constants of a host may physically be, seconds: the limits within which they are fitted."""

from collections.abc import Mapping

BOUNDS: Mapping[str, tuple[float, float]] = {
    # Nothing: prompt steps run as captured graphs. 0.8 ms: what AIConfigurator allows each layer for vLLM's prompts.
    "per_prompt_layer": (0.0, 0.8e-3),
    # Published split of a gpt-oss request on B200: ingress 2.7, queue 5.7, response 2.0, network 5.2 ms; a slow
    # tokenizer or a busy proxy takes a few tens more.
    "frontend": (0.0, 60e-3),
    # Scheduling and sampling take 0.5 to 2 ms of a step; asynchronous engines hide all of it, others about half.
    "between_steps": (0.0, 1e-3),
    # Starts of kernels inside a captured graph overlap (0.5 us) or follow each other as launched ones do (5 us).
    "captured_kernel": (0.5e-6, 5e-6),
}
