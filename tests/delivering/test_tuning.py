"""Engine arguments that a user changes by name end up where the engine reads them, and nowhere else."""

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import arguments, graph, tuning, views
from estimator.estimates import Estimate
from tests.manifests import plans

VLLM, SGLANG, TRTLLM = (
    plans.an_estimate(
        plans.a_worker("prefill", tp=2), plans.a_worker("decode", tp=4, batch=60, tokens=60), backend=name
    )
    for name in ("vllm", "sglang", "trtllm")
)
Objects = tuple[dict[str, Any], ...]


def _built(estimate: Estimate, api: str = "v1beta1") -> Objects:
    return graph.build(estimate, plans.a_site(api=api)).objects


def _tuned(built: Objects, *texts: str) -> Objects:
    return tuning.tuned(built, [tuning.parse(text) for text in texts])[0]


def _value(objects: Objects, kind: str, flag: str) -> str | None:
    return next(part.value(flag) for part in views.of(objects[-1]) if part.kind == kind)


@pytest.mark.parametrize("api", ["v1alpha1", "v1beta1"])
def test_a_flag_of_one_role_is_replaced_in_that_role_only(api: str) -> None:
    built = _built(VLLM, api)
    before = copy.deepcopy(built)

    tuned = _tuned(built, "workers.decode.max_num_seqs=2048")

    assert _value(tuned, "decode", "--max-num-seqs") == "2048"
    assert _value(tuned, "prefill", "--max-num-seqs") == _value(built, "prefill", "--max-num-seqs")
    assert built == before


@pytest.mark.parametrize("text", ["max-num-seqs=7", "max_num_seqs=7", "Workers.max_num_seqs=7", "max_batch_size=7"])
def test_without_a_role_every_worker_is_changed_in_any_spelling(text: str) -> None:
    tuned = _tuned(_built(VLLM), text)

    assert {_value(tuned, kind, "--max-num-seqs") for kind in ("prefill", "decode")} == {"7"}


def test_a_flag_that_was_not_there_is_added() -> None:
    tuned = _tuned(_built(SGLANG), "decode.mem_fraction_static=0.8")

    assert _value(tuned, "decode", "--mem-fraction-static") == "0.8"


@pytest.mark.parametrize(
    ("text", "there"), [("true", "--enable-prefix-caching"), ("false", "--no-enable-prefix-caching")]
)
def test_a_switch_says_yes_or_no_never_both(text: str, there: str) -> None:
    tuned = _tuned(_built(VLLM), f"decode.enable_prefix_caching={text}")
    decode = next(part for part in views.of(tuned[-1]) if part.kind == "decode")

    assert [word for word in decode.args if word.endswith("prefix-caching")] == [there]


def test_a_switch_without_a_no_is_left_out() -> None:
    tuned = _tuned(_built(SGLANG), "disable_radix_cache=false")

    assert not any("--disable-radix-cache" in part.args for part in views.of(tuned[-1]))


def test_an_engine_file_is_changed_renamed_and_mounted_under_its_new_name() -> None:
    built = _built(TRTLLM)

    tuned = _tuned(built, "Workers.decode.kv_cache_free_gpu_memory_fraction=0.7", "decode.cuda_graph_batch_sizes=[1,2]")

    files, name = tuned[0]["data"], tuned[0]["metadata"]["name"]
    content = yaml.safe_load(files["decode.yaml"])
    assert content["kv_cache_config"]["free_gpu_memory_fraction"] == 0.7
    assert content["cuda_graph_config"]["batch_sizes"] == [1, 2]
    assert files["prefill.yaml"] == built[0]["data"]["prefill.yaml"]
    assert name != built[0]["metadata"]["name"]
    assert str(tuned[-1]).count(name) == 2


def test_what_does_not_change_keeps_its_name() -> None:
    built = _built(TRTLLM)
    same = yaml.safe_load(built[0]["data"]["decode.yaml"])["max_batch_size"]

    assert _tuned(built, f"decode.max_batch_size={same}")[0]["metadata"] == built[0]["metadata"]


@pytest.mark.parametrize("backend", sorted(arguments.ARGUMENTS))
def test_every_listed_argument_can_be_set(backend: str) -> None:
    values = {"whole": "7", "number": "0.5", "switch": "true", "word": "auto", "list": "1,2"}
    built = _built({"vllm": VLLM, "sglang": SGLANG, "trtllm": TRTLLM}[backend])

    for argument in arguments.ARGUMENTS[backend]:
        _, notes = tuning.tuned(built, [tuning.parse(f"{argument.name}={values[argument.kind]}")])
        assert len(notes) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decode.max_num_sequences=1", "did you mean max-num-seqs"),
        ("max_num_seqs=many", "must be a whole number, not 'many'"),
        ("gpu_memory_utilization=high", "must be a number"),
        ("enforce_eager=perhaps", "must be true or false"),
        ("agg.max_num_seqs=1", "it has prefill and decode"),
        ("tensor_parallel_size=8", "plan again instead"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said) as refusal:
        _tuned(_built(VLLM), text)

    assert refusal.value.path == f"--set {text.partition('=')[0]}"


@given(text=st.text(max_size=40).filter(lambda text: "=" not in text))
def test_a_wish_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="path=value"):
        tuning.parse(text)


@given(path=st.lists(st.sampled_from(["workers", "agg", "decode", "max-num-seqs", "A", ""])), value=st.text(max_size=9))
def test_any_path_is_a_name_or_refused_for_lack_of_one(path: list[str], value: str) -> None:
    words = [word for word in path if word]
    try:
        change = tuning.parse(f"{'.'.join(path)}={value}")
    except InvalidSpec:
        assert set(words) <= {"workers"}
    else:
        assert change.name
        assert change.value == value.strip()
