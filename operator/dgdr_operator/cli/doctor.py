"""`dgdr doctor`: a deployment, live or as files, in; what is wrong with it and what to change out."""

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from dgdr_operator.cli import documents, kubectl, options
from dgdr_operator.cli.kubectl import Refused
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser, UsageError
from dgdr_operator.inventory import GRAPH
from dgdr_operator.report import checkup, findings
from dgdr_operator.report.evidence import Evidence
from dgdr_operator.report.findings import Finding, warn

_PURPOSE = "Examine a deployment: is RDMA active, are memory, model and secret there, are devices free, what to change."
_EXAMPLES = """\
examples:
  dgdr doctor --namespace inference --graph dynamo-disagg
  dgdr doctor --pods pods.yaml --nodes nodes.yaml --claims pvc.yaml --secrets secrets.txt --logs logs/ --graph dgd.yaml
     with: kubectl get pods -o yaml > pods.yaml; kubectl logs POD > logs/POD.log; ...

Exit codes: 0 nothing is wrong, 2 bad usage or input, 3 something is wrong. Values of Secrets are never read."""

Objects = tuple[Mapping[str, Any], ...]
Seen = TypeVar("Seen")


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verb and its flags."""
    parser = subparsers.add_parser("doctor", description=_PURPOSE, epilog=_EXAMPLES)
    graph = "name of the DynamoGraphDeployment, or its file when --pods is given"
    parser.add_argument("--graph", metavar="NAME|FILE", help=graph)
    live = parser.add_argument_group("live, through your kubectl")
    live.add_argument("-n", "--namespace", metavar="NAME", help="namespace of the graph (the context's)")
    files = parser.add_argument_group("or from files, as kubectl prints them with -o yaml")
    files.add_argument("--pods", metavar="FILE", help="pods")
    files.add_argument("--nodes", metavar="FILE", help="nodes: are devices free?")
    files.add_argument("--claims", metavar="FILE", help="persistent volume claims: are they bound?")
    names = "names of Secrets, as kubectl get secrets -o name prints them: is the token's there?"
    files.add_argument("--secrets", metavar="FILE", type=Path, help=names)
    files.add_argument("--logs", metavar="DIR", type=Path, help="logs, one file per pod: POD.log")
    form = options.one_of(("table", "json"))
    parser.add_argument("--output", type=form, metavar="FORM", default="table", help="table or json (table)")


def run(flags: argparse.Namespace) -> int:
    """Look, examine, print; the exit code says whether something is wrong."""
    unseen: list[Finding] = []
    evidence = _from_files(flags) if flags.pods else _live(flags, unseen)
    found = [*unseen, *checkup.examine(evidence)]
    if flags.output == "json":
        sys.stdout.write(findings.record(found))
    else:
        sys.stdout.write(findings.page(found, options.paper_of(sys.stdout)))
    return INFEASIBLE if findings.worst(found) == "fail" else FEASIBLE


def _from_files(flags: argparse.Namespace) -> Evidence:
    if flags.namespace:
        raise UsageError("--namespace is for a live cluster; with --pods only files are read")
    pods = tuple(documents.objects(flags.pods, "Pod"))
    graph = documents.objects(flags.graph, "DynamoGraphDeployment") if flags.graph else []
    return Evidence(
        pods=pods,
        nodes=tuple(documents.objects(flags.nodes, "Node")) if flags.nodes else None,
        claims=tuple(documents.objects(flags.claims, "PersistentVolumeClaim")) if flags.claims else None,
        graph=graph[0] if graph else None,
        secrets=None if flags.secrets is None else _names(flags.secrets),
        logs={} if flags.logs is None else _logs(flags.logs, [str(pod["metadata"]["name"]) for pod in pods]),
    )


def _names(path: Path) -> frozenset[str]:
    """One name a line, with or without its kind; a file of whole Secrets is not even looked through."""
    words = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if any(len(line) > 1 for line in words):
        raise UsageError(f"{path} holds more than names: kubectl get secrets -o name prints what is needed")
    return frozenset(line[0].rpartition("/")[2] for line in words)


def _logs(folder: Path, pods: Iterable[str]) -> dict[str, str]:
    """Every file of *folder* under the pod whose name its own begins with, the longest such name."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no directory of logs")
    names = sorted(pods, key=len, reverse=True)
    logs: dict[str, str] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = next((name for name in names if path.name.startswith(name)), None)
        if name is not None:
            logs[name] = logs.get(name, "") + path.read_text(encoding="utf-8", errors="replace")
    return logs


def _live(flags: argparse.Namespace, unseen: list[Finding]) -> Evidence:
    """What the user's kubectl shows; what it may not show is told in *unseen*."""
    if flags.graph is None:
        raise UsageError("--graph must name the DynamoGraphDeployment, or --pods a file of pods")
    scope = ("-n", flags.namespace) if flags.namespace else ()
    try:
        graph = kubectl.objects("dynamographdeployments.nvidia.com", flags.graph, *scope)
        pods = tuple(kubectl.objects("pods", "-l", f"{GRAPH}={flags.graph}", *scope))
    except Refused as refusal:
        raise UsageError(str(refusal)) from None
    everywhere = _asked(lambda: tuple(kubectl.objects("pods", "-A")), "pods of other namespaces", unseen)
    secrets = _asked(lambda: frozenset(kubectl.names("secrets", *scope)), "Secrets", unseen)
    return Evidence(
        pods=everywhere or pods,
        nodes=_asked(lambda: tuple(kubectl.objects("nodes")), "nodes", unseen),
        graph=graph[0],
        logs=_live_logs(pods, scope, unseen),
        secrets=secrets,
        claims=_asked(lambda: tuple(kubectl.objects("persistentvolumeclaims", *scope)), "claims", unseen),
    )


def _live_logs(pods: Objects, scope: tuple[str, ...], unseen: list[Finding]) -> dict[str, str]:
    logs = {}
    for pod in pods:
        name = str(pod["metadata"]["name"])
        text = _asked(partial(kubectl.log, name, "-c", "main", *scope), f"the log of {name}", unseen)
        if text is not None:
            logs[name] = text
    return logs


def _asked(look: Callable[[], Seen], what: str, unseen: list[Finding]) -> Seen | None:
    """What *look* sees, or None and a remark when the cluster does not show it."""
    try:
        return look()
    except Refused as refusal:
        unseen.append(warn("rights", "", f"{what} could not be read: {refusal}", "ask for the right to read them"))
        return None
