"""Copies of busy experts: every engine is told to make them, in its own words, exactly where they were priced."""

from dataclasses import replace

import pytest
import yaml

from dgdr_operator.manifest import graph, views
from dgdr_operator.manifest.sites import Site
from dgdr_operator.request import HardwareRequest, Policy
from estimator.estimates import Estimate
from tests.manifests import plans

WIDE = plans.an_estimate(plans.a_worker("aggregated", tp=1, dp=16, moe_ep=16, batch=32))
NARROW = plans.an_estimate(plans.a_worker("aggregated", tp=1, dp=8, moe_ep=8, batch=32))


def a_site(sku: str = "h200_sxm", *, balanced: bool = True) -> Site:
    """Two nodes and a model of 256 experts."""
    hardware = HardwareRequest(gpu_sku=sku, total_gpus=16, gpus_per_node=8, interconnect="nvlink")
    site = plans.a_site("1.4.0", hardware=hardware, policy=Policy(balanced=balanced))
    return replace(site, experts=256)


def told(estimate: Estimate, site: Site) -> object:
    """What the workers are told of copies: values of flags, or the key of the engine file; None for nothing."""
    built = graph.build(estimate, site)
    if estimate.backend == "trtllm":
        file = yaml.safe_load(built.objects[0]["data"]["aggregated.yaml"])
        return file["moe_config"].get("load_balancer")
    worker = next(view for view in views.of(built.objects[-1]) if view.is_worker)
    if "--enable-eplb" not in worker.args:
        return None
    return worker.value("--eplb-config") or worker.value("--ep-num-redundant-experts")


ORDERS = {
    "vllm": '{"num_redundant_experts":16}',
    "sglang": "16",
    "trtllm": {"num_slots": 272, "layer_updates_per_iter": 1},
}


@pytest.mark.parametrize("backend", ORDERS)
def test_every_gpu_gets_a_copy_in_the_engines_words(backend: str) -> None:
    estimate = replace(WIDE, backend=backend)

    assert told(estimate, a_site()) == ORDERS[backend]
    assert any("EPLB" in note for note in graph.build(estimate, a_site()).notes)


@pytest.mark.parametrize("backend", ORDERS)
def test_nobody_makes_copies_unasked_or_inside_a_node(backend: str) -> None:
    assert told(replace(WIDE, backend=backend), a_site(balanced=False)) is None
    assert told(replace(NARROW, backend=backend), a_site()) is None


def test_tensorrt_llm_exchanges_tokens_inside_a_node_of_blackwell() -> None:
    assert told(replace(NARROW, backend="trtllm"), a_site("b200_sxm")) == {
        "num_slots": 264,
        "layer_updates_per_iter": 1,
    }
    assert told(replace(NARROW, backend="vllm"), a_site("b200_sxm")) is None
