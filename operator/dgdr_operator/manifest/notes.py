"""Sentences about what a graph does that its estimate, or a reader of the request, would not expect."""

from collections.abc import Iterator

from dgdr_operator.manifest.sites import Site, copies
from estimator.estimates import Estimate


def of(estimate: Estimate, site: Site) -> Iterator[str]:
    """Every sentence that applies to *estimate* at *site*."""
    knobs, is_alpha = site.request.knobs, site.api == "v1alpha1"
    if site.secret and is_alpha:
        yield f"pods of a v1alpha1 graph do not start before the Secret {site.secret} exists"
    if site.cache and site.cache.creation and not is_alpha:
        yield f"v1beta1 graphs cannot make claims: make {site.cache.claim} before the pods can start"
    if knobs.mocker:
        yield "the workers are mocked and use no GPU: the predicted figures are those of the planned deployment"
    elif knobs.kv_router:
        yield "requests are routed by prefix: the estimate assumes that no prefix is found, so it can only be exceeded"
    widest = max(worker.parallel.gpus for worker in estimate.workers)
    if site.settings.several_nodes == "auto" and widest > site.place.node_gpus and not knobs.mocker:
        yield "workers span nodes: the cluster needs Grove or LeaderWorkerSet to start them"
    if any(copies(worker, estimate.backend, site) for worker in estimate.workers):
        yield "busy experts have one copy on each GPU (EPLB): they take memory that the estimate gives to the cache"
    if handed := [worker.role for worker in estimate.workers if site.hands_over(worker.role)]:
        told = (
            "the numbers of workers are the planner's once the graph runs, and the predicted figures those of the start"
        )
        yield f"{told} ({', '.join(handed)})"
    if site.fabric.profile == "efa" and estimate.mode == "disaggregated" and not _for_efa(estimate, site):
        yield f"the image tag {site.target.image_suffix} is taken as it is: it must have the libraries for EFA"


def _for_efa(estimate: Estimate, site: Site) -> bool:
    return "-efa" in site.target.image(estimate.backend, efa=True)
