"""`dgdr plan`: a DynamoGraphDeploymentRequest file in; exactly the objects that the controller would create out."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import Any

from dgdr_operator import inventory, journey, refusal, settings, spec
from dgdr_operator.cli import documents, options, question, shaping, wishes
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser, UsageError
from dgdr_operator.inventory import Inventory
from dgdr_operator.manifest import releases
from dgdr_operator.report import figures, yaml_text
from dgdr_operator.request import DeploymentRequest
from dgdr_operator.settings import Settings
from estimator import pins
from estimator.errors import InvalidWorkload, NoFeasibleCandidate
from estimator.estimates import Estimate
from perf_db.catalog import Catalog

KIND = "DynamoGraphDeploymentRequest"
_PURPOSE = "Print exactly what the controller would create for a DynamoGraphDeploymentRequest; no cluster is needed."
_EXAMPLES = """\
examples:
  dgdr plan -f request.yaml | kubectl apply -f -
  kubectl get nodes -o yaml > nodes.yaml && dgdr plan -f request.yaml --nodes nodes.yaml
  kubectl get pods -A -o yaml > pods.yaml && dgdr plan -f request.yaml --nodes nodes.yaml --pods pods.yaml
  kubectl get dgdr my-request -o yaml | dgdr plan -f -

Settings come from the environment as for the controller (DGDR_...). Notes go to standard error."""


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("plan", description=_PURPOSE, epilog=_EXAMPLES)
    source = "the request, YAML or JSON; - reads standard input"
    parser.add_argument("-f", "--filename", metavar="FILE", required=True, help=source)
    nodes = "Node objects (kubectl get nodes -o yaml) to find GPUs and fabric in"
    parser.add_argument("--nodes", metavar="FILE", type=Path, help=nodes)
    pods = "Pod objects (kubectl get pods -A -o yaml) that hold GPUs of those nodes; without, all count as free"
    parser.add_argument("--pods", metavar="FILE", type=Path, help=pods)
    versions = options.one_of(("v1alpha1", "v1beta1"))
    api = "v1alpha1 or v1beta1 (what the Dynamo release serves)"
    parser.add_argument("--dgd-version", metavar="VERSION", type=versions, help=api)
    question.add_pin(parser)
    wishes.add_flags(parser)


def run(flags: argparse.Namespace) -> int:
    """Plan and print; the exit code says whether there is a plan."""
    body = _request(flags.filename)
    request = _pinned(spec.read(body), flags.pin)
    chosen = settings.read(os.environ)
    nodes = _inventory(flags, chosen, body)
    if flags.dgd_version is not None:
        chosen = dataclasses.replace(chosen, graph_versions=(flags.dgd_version,))
    wished = shaping.read(flags)
    try:
        plan = journey.plan(request, nodes, Catalog(), shaping.fitting(chosen, wished))
    except NoFeasibleCandidate as refused:
        completed = inventory.complete(request, journey.sight(request, nodes, chosen))[0]
        sys.stderr.write(f"{refusal.line(completed, refused.report)}\n")
        return INFEASIBLE
    release = releases.target(request.runtime, chosen.dynamo_version, chosen.registry).release
    *files, graph = plan.objects
    marked = refusal.marked(graph, plan.request, plan.shortfall)
    shaped = shaping.shaped((*files, marked), wished, release)
    sys.stdout.write(yaml_text.dump(shaped.objects))
    sys.stdout.flush()
    missed = [] if plan.shortfall.missed is None else [refusal.line(plan.request, plan.shortfall.missed)]
    notes = (_summary(plan.outcome.choice), *missed, plan.fabric.message, *plan.notes, *shaped.notes)
    sys.stderr.writelines(f"# {note}\n" for note in notes)
    return FEASIBLE


def _pinned(request: DeploymentRequest, text: str) -> DeploymentRequest:
    """*request*, its annotation `pin` replaced by *text* if there is one."""
    try:
        decided = pins.parse(text) or request.policy.pins
    except InvalidWorkload as problem:
        raise UsageError(f"--pin must be {problem.allowed}, not {problem.value}") from None
    return dataclasses.replace(request, policy=dataclasses.replace(request.policy, pins=decided))


def _summary(choice: Estimate) -> str:
    if isnan(choice.latency.ttft):
        return f"{figures.configuration(choice)} with {choice.backend}: it fits in memory, nothing is predicted"
    return (
        f"{figures.configuration(choice)} with {choice.backend}: predicted TTFT {figures.ms(choice.latency.ttft)} ms, "
        f"ITL {figures.ms(choice.latency.itl)} ms, {figures.plain(choice.tokens_per_second_per_gpu)} tokens/s per GPU "
        f"at concurrency {choice.load.concurrency}"
    )


def _request(name: str) -> Any:  # noqa: ANN401 - whatever the file holds; the reader of requests judges it
    found = list(documents.read(name))
    requests = [one for one in found if isinstance(one, Mapping) and one.get("kind") == KIND]
    if len(requests) > 1:
        raise UsageError(f"{name} holds {len(requests)} requests; plan them one at a time")
    if not requests and len(found) != 1:
        raise UsageError(f"{name} holds no {KIND}")
    return (requests or found)[0]


def _inventory(flags: argparse.Namespace, chosen: Settings, body: Mapping[str, Any]) -> Inventory | None:
    """The nodes as the request sees them: the pods of its own graph, if it has one, are in nobody's way."""
    if flags.nodes is None:
        if flags.pods is not None:
            raise UsageError("--pods needs --nodes: free GPUs are what pods leave of nodes")
        return None
    nodes = documents.objects(str(flags.nodes), "Node")
    pods = None if flags.pods is None else documents.objects(str(flags.pods), "Pod")
    found = inventory.read(nodes, pods, chosen.pods.node_selector)
    graph = (body.get("status") or {}).get("dgdName")
    namespace = body["metadata"].get("namespace") or "default"
    return found.seen_by(namespace, [graph] if graph else ())
