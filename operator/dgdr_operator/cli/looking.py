"""`dgdr status`, `explain`, `diff`, `history`, `report`: what became of a request in a cluster, and why."""

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dgdr_operator.cli import kubectl, living, options
from dgdr_operator.cli.kubectl import Refused
from dgdr_operator.cli.living import KIND, Living
from dgdr_operator.cli.options import FEASIBLE, INFEASIBLE, Parser
from dgdr_operator.report import redaction, standing, yaml_text

_PURPOSES = {
    "status": "Say how a request stands, or all of them: phase, plan, graph, and what waits.",
    "explain": "Say why a request got this plan, or none: what was asked, what was found, where the time goes.",
    "diff": "Show what the plan would change in the graph that runs.",
    "history": "List the last plans of a request.",
    "report": "Write everything about a request into one archive for a bug report, secret values hidden.",
}


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verbs and their flags."""
    for verb, purpose in _PURPOSES.items():
        parser = subparsers.add_parser(verb, description=f"{purpose} Asks the cluster through your kubectl.")
        living.add_flags(parser, optional=verb == "status")
        parser.set_defaults(verb=verb)
        if verb == "report":
            parser.add_argument("--output", metavar="FILE", type=Path, help="the archive (NAME-report.zip)")
        elif verb in ("status", "history"):
            form = options.one_of(("table", "json"))
            parser.add_argument("-o", "--output", type=form, metavar="FORM", default="table", help="table or json")
        if verb == "status":
            parser.add_argument("-A", "--all-namespaces", action="store_true", help="the requests of all namespaces")


def run(flags: argparse.Namespace) -> int:
    """Look, and say; the exit code of `status` and `explain` tells whether the request failed."""
    if flags.verb == "status" and flags.name is None:
        return _overview(flags)
    found = living.find(flags)
    match flags.verb:
        case "status":
            _write(standing.page(found.request, found.report, options.paper_of(sys.stdout)), flags, found.request)
        case "explain":
            sys.stdout.write(_explained(found))
        case "diff":
            sys.stdout.write(_difference(flags, found))
        case "history":
            page = standing.past(found.report, standing.plan(found.request), options.paper_of(sys.stdout))
            _write(page, flags, standing.history(found.report))
        case _:
            return _bundle(flags, found)
    failed = (found.request.get("status") or {}).get("phase") == "Failed"
    return INFEASIBLE if failed and flags.verb in ("status", "explain") else FEASIBLE


def _overview(flags: argparse.Namespace) -> int:
    everywhere = ("--all-namespaces",) if flags.all_namespaces else ()
    requests = kubectl.objects(KIND, *living.scope(flags), *everywhere)
    _write(standing.overview(requests, options.paper_of(sys.stdout)), flags, requests)
    return FEASIBLE


def _write(page: str, flags: argparse.Namespace, found: object) -> None:
    sys.stdout.write(page if flags.output == "table" else json.dumps(found, indent=2) + "\n")


def _explained(found: Living) -> str:
    """The page of the search where there was one; else what the status says."""
    conditions = {one["type"]: one["message"] for one in (found.request.get("status") or {}).get("conditions") or ()}
    summary = conditions.get("Succeeded", "nothing is known about it yet")
    kept = found.report.get("report.txt", "")
    return kept if kept and standing.plan(found.request) else f"{summary}\n"


def _difference(flags: argparse.Namespace, found: Living) -> str:
    """As the cluster sees it now, by the user's rights; where those do not reach, as it was when the plan was made."""
    plan = found.report.get("pending.yaml") or found.report.get("plan.yaml")
    if not plan:
        return "no plan is reported yet\n"
    try:
        return kubectl.difference(plan, *living.scope(flags)) or "nothing would change\n"
    except Refused as refusal:
        sys.stderr.write(f"dgdr: as of when the plan was made, since kubectl diff says: {refusal}\n")
        return found.report.get("diff.txt", "")


def _bundle(flags: argparse.Namespace, found: Living) -> int:
    path: Path = flags.output or Path(f"{found.name}-report.zip")
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _files(flags, found):
            archive.writestr(name, text)
    path.write_bytes(held.getvalue())
    sys.stdout.write(f"Written: {path}. Look through it before you send it on.\n")
    return FEASIBLE


def _files(flags: argparse.Namespace, found: Living) -> Iterator[tuple[str, str]]:
    yield "request.yaml", _yaml([found.request])
    for name, text in found.report.items():
        hidden = name.endswith(".yaml") or name == "history.json"
        yield f"report/{name}", _rewritten(name, text) if hidden else text
    graph = (found.request.get("status") or {}).get("dgdName")
    asked = {
        "graph.yaml": ("dynamographdeployments.nvidia.com", graph, *living.scope(flags)) if graph else (),
        "events.yaml": ("events", "--field-selector", f"involvedObject.name={found.name}", *living.scope(flags)),
        "nodes.yaml": ("nodes", "-l", "nvidia.com/gpu.present=true"),
    }
    for name, words in asked.items():
        if words:
            yield name, _seen(words)


def _seen(words: tuple[str, ...]) -> str:
    try:
        return _yaml(kubectl.objects(*words))
    except Refused as refusal:
        return f"# not seen: {refusal}\n"


def _rewritten(name: str, text: str) -> str:
    if name.endswith(".yaml"):
        return _yaml(yaml_text.load(text))
    return json.dumps(redaction.redacted(json.loads(text)), indent=1)


def _yaml(objects: "list[Mapping[str, Any]]") -> str:
    return yaml_text.dump([redaction.redacted(one) for one in objects])
