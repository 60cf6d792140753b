"""The folder of `dgdr optimize --save-dir`: everything to run, measure, reproduce and read every ranked plan."""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dgdr_operator import engines, settings
from dgdr_operator.cli import offline, shaping
from dgdr_operator.cli.offline import Ground
from dgdr_operator.cli.shaping import Shaped, Wishes
from dgdr_operator.manifest import benchmark, graph, trtllm, tuning
from dgdr_operator.manifest.sites import Site
from dgdr_operator.report import answer, artifacts, choices, page, png, scripts, yaml_text
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.paper import Paper
from estimator import pins
from estimator.estimates import Estimate, Outcome
from estimator.hardware import System
from perf_db.catalog import Catalog

_TABLES = ("pareto.csv", "best_config_topn.csv", "pareto_frontier.png", "report.html", "report.txt")
_OWNED = ("aggregated", "disaggregated", "plan.yaml", *_TABLES)
_REPORT_WIDTH = 100
_SHORT = {"aggregated": "agg"}
_HEADER = """\
# The question, and the plan that answered it: `dgdr plan -f` reads the first, `dgdr compare --plan` the second.
"""

Files = Iterator[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One answer on its way into a folder."""

    ground: Ground
    outcome: Outcome
    wishes: Wishes


def save(flags: argparse.Namespace, asked: Asked, outcome: Outcome, system: System, catalog: Catalog) -> str:
    """Write everything about *outcome* into the folder of *flags*, replacing an earlier answer; say what to do next.

    Raises OSError, and what the request's reader, the manifests and the wishes refuse.
    """
    folder: Path = flags.save_dir
    wishes = shaping.read(flags)
    chosen = shaping.fitting(settings.read(os.environ), wishes)
    ground = Ground(asked=asked, system=system, settings=chosen, catalog=catalog)
    delivery = Delivery(ground=ground, outcome=outcome, wishes=wishes)
    artifacts.write(folder, dict(_files(delivery)), _OWNED)
    ranked = outcome.aggregated if outcome.choice.mode == "aggregated" else outcome.disaggregated
    rank = ranked.index(outcome.choice) + 1 if outcome.choice in ranked else 1
    return f"Saved. To deploy: kubectl apply -f {folder / outcome.choice.mode / f'top{rank}' / 'k8s_deploy.yaml'}"


def _files(delivery: Delivery) -> Files:
    asked, outcome = delivery.ground.asked, delivery.outcome
    for mode, estimates in (("aggregated", outcome.aggregated), ("disaggregated", outcome.disaggregated)):
        for rank, estimate in enumerate(estimates, 1):
            for name, content in _plan(delivery, estimate):
                yield f"{mode}/top{rank}/{name}", content
    yield "plan.yaml", _question(delivery, outcome.choice)
    yield "pareto.csv", artifacts.table(outcome.frontier)
    yield "best_config_topn.csv", artifacts.table((*outcome.aggregated, *outcome.disaggregated))
    yield "pareto_frontier.png", png.draw(page.scene(asked, outcome))
    yield "report.html", page.html(asked, outcome)
    yield "report.txt", answer.page(asked, outcome, Paper(width=_REPORT_WIDTH))


def _plan(delivery: Delivery, estimate: Estimate) -> Files:
    """The files of one ranked plan."""
    kv_cache = engines.dtype(delivery.outcome, "kv cache", estimate.backend)
    site = offline.site(delivery.ground, estimate, kv_cache)
    built = graph.build(estimate, site)
    # A change for one mode's workers says nothing about the other mode's plans.
    changes = tuning.concerning(built.objects[-1], delivery.wishes.changes)
    shaped = shaping.shaped(built.objects, replace(delivery.wishes, changes=changes), site.target.release)
    notes = "".join(f"# {note}\n" for note in shaped.notes)
    yield "k8s_deploy.yaml", notes + yaml_text.dump(shaped.objects)
    yield from _started_by_hand(shaped, site)
    yield "plan.yaml", _question(delivery, estimate)
    yield "aiperf-job.yaml", yaml_text.dump([benchmark.job(shaped.graph, estimate, site, shaped.address)])


def _started_by_hand(shaped: Shaped, site: Site) -> Files:
    """Engine files and one script per machine, from the same command lines as the graph's."""
    held = {name: text for one in shaped.files for name, text in one["data"].items()}
    beside = {name: _beside(name) for name in held}
    yield from ((beside[name], text) for name, text in held.items())
    inside = {f"{trtllm.FOLDER}/{name}": there for name, there in beside.items()}
    for number, text in enumerate(scripts.scripts(shaped.graph, site.place.node_gpus, inside)):
        yield f"run_{number}.sh", text


def _beside(name: str) -> str:
    """What an engine file is called in the folder: aggregated.yaml is agg_config.yaml."""
    role = name.removesuffix(".yaml")
    return f"{_SHORT.get(role, role)}_config.yaml"


def _question(delivery: Delivery, estimate: Estimate) -> str:
    """The request, and what was predicted for *estimate*; one that was not chosen is asked for by its sizes."""
    asked = delivery.ground.asked
    chosen = estimate == delivery.outcome.choice
    body = offline.request_body(delivery.ground, estimate, asked.pins if chosen else pins.of(estimate))
    record = choices.written(estimate, asked.workload, body["metadata"]["name"])
    return _HEADER + offline.unsaid(asked) + yaml_text.dump([body, record])
