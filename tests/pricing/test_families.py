"""Every family's layers, against the sizes that publishers print on their model cards."""

import pytest

from estimator import catalogue
from estimator.model import (
    Attention,
    Block,
    DeltaNet,
    Experts,
    FeedForward,
    Latent,
    Mixer,
    Model,
    StateSpace,
)


def parameters(model: Model) -> float:
    """Weights of a model's matrices; norms, biases and rotary tables are too small to count."""
    tables = model.vocab * model.hidden * (1 if model.tied else 2)
    return tables + sum(
        block.count * (mixer_weights(block.mixer, model.hidden) + ffn_weights(block.ffn, model.hidden))
        for block in model.blocks
    )


def mixer_weights(mixer: Mixer | None, hidden: int) -> int:
    match mixer:
        case Attention(heads=heads, kv_heads=kv_heads, head_dim=head_dim):
            return hidden * head_dim * ((3 if mixer.gated else 2) * heads + 2 * kv_heads)
        case Latent():
            return latent_weights(mixer, hidden)
        case DeltaNet():
            keys, values = mixer.key_heads * mixer.key_dim, mixer.value_heads * mixer.value_dim
            return hidden * (2 * keys + 3 * values + 2 * mixer.value_heads) + mixer.conv * (2 * keys + values)
        case StateSpace():
            inner, shared = mixer.heads * mixer.head_dim, 2 * mixer.groups * mixer.state
            return hidden * (3 * inner + shared + mixer.heads) + mixer.conv * (inner + shared)
    return 0


def latent_weights(mixer: Latent, hidden: int) -> int:
    queries = mixer.heads * (mixer.nope_dim + mixer.rope_dim)
    down = hidden * (mixer.q_rank + mixer.kv_rank + mixer.rope_dim)
    up = (mixer.q_rank or hidden) * queries + mixer.kv_rank * mixer.heads * (mixer.nope_dim + mixer.v_dim)
    indexed = mixer.q_rank * mixer.index_heads * mixer.index_dim + hidden * (mixer.index_dim + mixer.index_heads)
    return down + up + mixer.heads * mixer.v_dim * hidden + (indexed if mixer.index_heads else 0)


def ffn_weights(ffn: FeedForward | Experts | None, hidden: int) -> int:
    match ffn:
        case FeedForward():
            return (3 if ffn.gated else 2) * hidden * ffn.width
        case Experts():
            matrices, inner = 3 if ffn.gated else 2, ffn.latent or hidden
            routed = ffn.count * (matrices * inner * ffn.width + hidden)
            return routed + matrices * hidden * ffn.shared_width + 2 * hidden * ffn.latent
    return 0


# Layers and billions of parameters as the model cards and technical reports print them (text part, without
# the layers for multi-token prediction).
PUBLISHED = {
    "Qwen/Qwen2.5-72B": (80, 72.7),
    "Qwen/Qwen3-0.6B": (28, 0.6),
    "Qwen/Qwen3-8B": (36, 8.2),
    "Qwen/Qwen3-32B": (64, 32.8),
    "Qwen/Qwen3-30B-A3B": (48, 30.5),
    "Qwen/Qwen3-235B-A22B": (94, 235),
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": (62, 480),
    "Qwen/Qwen3-Next-80B-A3B-Instruct": (48, 80),
    "Qwen/Qwen3.5-27B": (64, 27),
    "Qwen/Qwen3.5-35B-A3B": (40, 35),
    "Qwen/Qwen3.5-122B-A10B": (48, 122),
    "Qwen/Qwen3.5-397B-A17B": (60, 397),
    "Qwen/Qwen1.5-MoE-A2.7B-Chat": (24, 14.3),
    "Qwen/Qwen2-57B-A14B-Instruct": (28, 57.4),
    "meta-llama/Llama-2-7b-hf": (32, 6.74),
    "meta-llama/Llama-3.1-8B": (32, 8.03),
    "meta-llama/Llama-3.1-70B": (80, 70.6),
    "meta-llama/Llama-3.1-405B": (126, 405),
    "meta-llama/Llama-3.2-1B": (16, 1.24),
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": (48, 109),
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": (48, 400),
    "mistralai/Mistral-7B-Instruct-v0.3": (32, 7.25),
    "mistralai/Mistral-Large-Instruct-2411": (88, 123),
    "mistralai/Mixtral-8x7B-v0.1": (32, 46.7),
    "mistralai/Mixtral-8x22B-v0.1": (56, 141),
    "openai/gpt-oss-20b": (24, 20.9),
    "openai/gpt-oss-120b": (36, 116.8),
    "MiniMaxAI/MiniMax-M2.5": (62, 229),
    "deepseek-ai/DeepSeek-V2-Lite": (27, 15.7),
    "deepseek-ai/DeepSeek-V2": (60, 236),
    "deepseek-ai/DeepSeek-R1": (61, 671),
    "deepseek-ai/DeepSeek-V3": (61, 671),
    "deepseek-ai/DeepSeek-V3.2": (61, 672),
    "moonshotai/Kimi-K2-Instruct": (61, 1026),
    "moonshotai/Kimi-K2.5": (61, 1026),
    "zai-org/GLM-4.5": (92, 355),
    "zai-org/GLM-4.5-Air": (46, 106),
    "zai-org/GLM-5": (78, 744),
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1": (80, 49.9),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": (52, 31.6),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8": (88, 120.6),
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": (108, 550),
    "nvidia/Nemotron-H-56B-Base-8K": (118, 56.3),
    "XiaomiMiMo/MiMo-V2-Flash": (48, 309),
    "stepfun-ai/Step-3.7-Flash": (45, 196),
    "google/gemma-3-27b-it": (62, 27.0),
    "google/gemma-4-26B-A4B": (30, 25.2),
    "openai-community/gpt2-xl": (48, 1.55),
    "EleutherAI/gpt-neox-20b": (44, 20.6),
    "bigcode/starcoder2-15b": (40, 16.0),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_layers_and_parameters_are_those_of_the_model_card(name: str) -> None:
    layers, billions = PUBLISHED[name]

    found = catalogue.load(name)

    assert found.layers == layers
    assert parameters(found) / 1e9 == pytest.approx(billions, rel=0.015)


def blocks(name: str) -> tuple[Block, ...]:
    return catalogue.load(name).blocks


def test_gpt_oss_sees_128_tokens_in_every_other_layer() -> None:
    experts = Experts(count=128, top=4, width=2880)
    local = Attention(heads=64, kv_heads=8, head_dim=64, bias=True, window=128)

    assert blocks("openai/gpt-oss-120b") == (
        Block(count=18, mixer=local, ffn=experts),
        Block(count=18, mixer=Attention(heads=64, kv_heads=8, head_dim=64, bias=True), ffn=experts),
    )


def test_deepseek_starts_with_three_dense_layers() -> None:
    latent = Latent(heads=128, q_rank=1536, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128)

    assert blocks("deepseek-ai/DeepSeek-V3") == (
        Block(count=3, mixer=latent, ffn=FeedForward(width=18432)),
        Block(count=58, mixer=latent, ffn=Experts(count=256, top=8, width=2048, shared_width=2048)),
    )
    assert catalogue.load("deepseek-ai/DeepSeek-V3").nextn == 1


def test_kimi_has_half_the_heads_and_one_dense_layer() -> None:
    dense, sparse = blocks("moonshotai/Kimi-K2.5")

    assert isinstance(dense.mixer, Latent)
    assert (dense.count, dense.mixer.heads) == (1, 64)
    assert sparse.ffn == Experts(count=384, top=8, width=2048, shared_width=2048)


def test_a_sparse_index_belongs_to_its_attention() -> None:
    mixer = blocks("deepseek-ai/DeepSeek-V3.2")[0].mixer

    assert isinstance(mixer, Latent)
    assert (mixer.index_heads, mixer.index_dim, mixer.index_top) == (64, 128, 2048)


def test_most_layers_of_glm_5_2_borrow_an_index() -> None:
    borrowers = [
        block for block in blocks("zai-org/GLM-5.2") if isinstance(block.mixer, Latent) and block.mixer.index_dim == 0
    ]

    assert [block.count for block in borrowers] == [57]
    assert all(isinstance(block.mixer, Latent) and block.mixer.index_top == 2048 for block in borrowers)


def test_llama_4_maverick_alternates_experts_and_sees_chunks_in_three_layers_of_four() -> None:
    found = blocks("meta-llama/Llama-4-Maverick-17B-128E-Instruct")
    experts = Experts(count=128, top=1, width=8192, shared_width=8192)

    assert sum(block.count for block in found if block.ffn == experts) == 24
    assert sum(block.count for block in found if block.ffn == FeedForward(width=16384)) == 24
    assert (
        sum(block.count for block in found if isinstance(block.mixer, Attention) and block.mixer.window == 8192) == 36
    )


def test_llama_4_scout_has_experts_everywhere() -> None:
    experts = Experts(count=16, top=1, width=8192, shared_width=8192)

    assert {block.ffn for block in blocks("meta-llama/Llama-4-Scout-17B-16E-Instruct")} == {experts}


def test_qwen_3_5_attends_in_every_fourth_layer_behind_a_gate() -> None:
    linear, full = blocks("Qwen/Qwen3.5-397B-A17B")

    assert linear.mixer == DeltaNet(key_heads=16, key_dim=128, value_heads=64, value_dim=128, conv=4)
    assert full.mixer == Attention(heads=32, kv_heads=2, head_dim=256, qk_norm=True, gated=True)
    assert (linear.count, full.count) == (45, 15)
    assert full.ffn == Experts(count=512, top=10, width=1024, shared_width=1024)


def test_nemotron_h_has_one_thing_per_layer() -> None:
    mamba, experts, attention = blocks("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8")

    assert mamba == Block(
        count=40, mixer=StateSpace(heads=128, head_dim=64, state=128, conv=4, groups=8, chunk=128), ffn=None
    )
    assert experts == Block(
        count=40, mixer=None, ffn=Experts(count=512, top=22, width=2688, shared_width=5376, gated=False, latent=1024)
    )
    assert attention == Block(count=8, mixer=Attention(heads=32, kv_heads=2, head_dim=128), ffn=None)


def test_an_older_nemotron_h_has_dense_parts_with_one_input_matrix() -> None:
    assert [block.count for block in blocks("nvidia/Nemotron-H-56B-Base-8K")] == [54, 54, 10]
    assert blocks("nvidia/Nemotron-H-56B-Base-8K")[1].ffn == FeedForward(width=32768, gated=False)


def test_a_searched_model_has_layers_without_attention() -> None:
    found = blocks("nvidia/Llama-3_3-Nemotron-Super-49B-v1")

    assert sum(block.count for block in found if block.mixer is None) == 31
    assert Block(count=48, mixer=Attention(heads=64, kv_heads=8, head_dim=128), ffn=FeedForward(width=28672)) in found


def test_minimax_normalises_queries_and_keys() -> None:
    (only,) = blocks("MiniMaxAI/MiniMax-M2.5")

    assert only.mixer == Attention(heads=48, kv_heads=8, head_dim=128, qk_norm=True, norm_across=True)
    assert only.ffn == Experts(count=256, top=8, width=1536)


def test_gemma_sees_everything_in_every_sixth_layer() -> None:
    found = blocks("google/gemma-3-27b-it")

    windows = {block.mixer.window: block.count for block in found if isinstance(block.mixer, Attention)}

    assert windows == {1024: 52, None: 10}


def test_layers_with_a_window_may_have_heads_of_their_own() -> None:
    local, full = (block.mixer for block in blocks("google/gemma-4-26B-A4B"))

    assert local == Attention(heads=16, kv_heads=8, head_dim=256, qk_norm=True, window=1024)
    assert full == Attention(heads=16, kv_heads=2, head_dim=512, qk_norm=True)


def test_gpt_models_have_one_input_matrix_and_biases() -> None:
    found = catalogue.load("openai-community/gpt2-xl")

    assert found.tied
    assert found.blocks[0].mixer == Attention(heads=25, kv_heads=25, head_dim=64, bias=True)
    assert found.blocks[0].ffn == FeedForward(width=6400, gated=False)


@pytest.mark.parametrize("name", ["MiniMaxAI/MiniMax-M3", "stepfun-ai/Step-3.7-Flash"])
def test_a_family_without_a_reader_says_who_stands_in_for_it(name: str) -> None:
    assert catalogue.load(name).nearest == "Qwen3MoeForCausalLM"
