"""The platform's own planner, which takes over the numbers of workers once a graph runs: its component and its orders.

Source: PlannerConfig and the example graphs of ai-dynamo/dynamo (components/src/dynamo/planner, releases 1.0 to 1.6).
"""

import json
from typing import Any

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import components, releases, storage
from dgdr_operator.manifest.parts import Component, Container
from dgdr_operator.manifest.sites import Site
from dgdr_operator.units import MILLISECOND
from estimator.estimates import Estimate

NAME = "Planner"
FIRST = (1, 0)
"""Release from which the planner takes its orders as one object and needs no profile to begin with."""

PATH = "spec.features.planner"


def component(estimate: Estimate, site: Site) -> Component:
    """The planner with its orders, which stand in its arguments: a change of them starts it anew.

    Raises InvalidSpec for orders that contradict the plan, and for a release whose planner speaks otherwise.
    """
    _check(estimate, site)
    container = Container(
        image=site.target.tools_image,
        command=("python3", "-m", "dynamo.planner"),
        args=("--config", json.dumps(orders(estimate, site), sort_keys=True)),
        env=storage.environment(site.cache),
    )
    return Component(
        name=NAME,
        kind="planner",
        replicas=1,
        container=container,
        pod=components.pod(site),
        version_override=site.target.version_override,
    )


def orders(estimate: Estimate, site: Site) -> dict[str, Any]:
    """What the request orders, over what the plan knows: engine, mode, GPUs of a worker, budget, promises."""
    targets, hardware = site.request.targets, site.request.hardware
    together = estimate.mode == "aggregated" and not site.request.knobs.mocker
    known: dict[str, Any] = {
        "backend": _backend(estimate, site),
        "mode": "agg" if together else "disagg",
        "max_gpu_budget": hardware.total_gpus,
    }
    known |= {} if targets.ttft is None else {"ttft": round(targets.ttft / MILLISECOND, 6)}
    known |= {} if targets.itl is None else {"itl": round(targets.itl / MILLISECOND, 6)}
    gpus = {worker.role: worker.parallel.gpus for worker in estimate.workers}
    decode = gpus.get("decode", gpus.get("aggregated", 1))
    known["decode_engine_num_gpu"] = decode
    if known["mode"] == "disagg":
        known["prefill_engine_num_gpu"] = gpus.get("prefill", decode)
    return {**known, **_given(site)}


def _given(site: Site) -> dict[str, Any]:
    return dict(site.request.overrides.planner or {})


def _backend(estimate: Estimate, site: Site) -> str:
    return "mocker" if site.request.knobs.mocker else estimate.backend


def _check(estimate: Estimate, site: Site) -> None:
    releases.demand(site.target.release, FIRST, PATH)
    given = _given(site)
    backend, budget, most = given.get("backend"), given.get("max_gpu_budget"), site.request.hardware.total_gpus
    if backend not in {None, _backend(estimate, site)}:
        raise InvalidSpec.at(
            f"{PATH}.backend", f"is {backend}, but the plan runs {_backend(estimate, site)}: leave it out"
        )
    if isinstance(budget, int) and most is not None and budget > most:
        raise InvalidSpec.at(f"{PATH}.max_gpu_budget", f"is {budget}, but the request may use {most} GPUs")
