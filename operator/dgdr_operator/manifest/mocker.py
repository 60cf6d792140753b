"""Workers that answer like a model without a GPU: one for prompts, one for output, to try a cluster out."""

from dgdr_operator.manifest import components, releases, storage
from dgdr_operator.manifest.components import Titles
from dgdr_operator.manifest.parts import Component, Container
from dgdr_operator.manifest.sites import Site, serving
from estimator.estimates import Role

ROLES: tuple[Role, ...] = ("prefill", "decode")

SPEEDUP = "1.0"
"""Answers come as slowly as from the simulated engine."""

FIRST = (1, 0)
"""Release from which mocked workers are told their role by --disaggregation-mode."""


def parts(backend: str, site: Site, titles: Titles) -> list[Component]:
    """The Frontend and the two workers. Raises InvalidSpec for a release whose mocker speaks otherwise."""
    releases.demand(site.target.release, FIRST, "spec.features.mocker.enabled")
    image = site.target.tools_image
    return [components.frontend(image, site), *(_worker(role, backend, site, titles) for role in ROLES)]


def simulated(backend: str) -> str:
    """The engine that is simulated for a plan of *backend*: the mocker knows two."""
    return backend if backend == "sglang" else "vllm"


def _worker(role: Role, backend: str, site: Site, titles: Titles) -> Component:
    told = serving(site)
    args = ["--model-path", told.model, "--model-name", told.name, "--speedup-ratio", SPEEDUP]
    args += ["--disaggregation-mode", role, "--engine-type", simulated(backend)]
    container = Container(
        image=site.target.tools_image,
        command=("python3", "-m", "dynamo.mocker"),
        args=tuple(args),
        env=storage.environment(site.cache),
    )
    return Component(
        name=titles.components[role],
        kind="prefill" if role == "prefill" else "decode",
        scaled=site.hands_over(role),
        replicas=1,
        container=container,
        pod=components.pod(site),
        version_override=site.target.version_override,
    )
