"""`dgdr approve`, `pause`, `resume`, `rollback`: the user's word on a plan, as an annotation of the request."""

import argparse
import sys

from dgdr_operator.cli import living, options
from dgdr_operator.cli.living import Living
from dgdr_operator.cli.options import FEASIBLE, Parser, UsageError
from dgdr_operator.planned import APPROVE, PAUSE, ROLLBACK
from dgdr_operator.report import standing

_PURPOSES = {
    "approve": "Apply the plan that waits, and no later one.",
    "pause": "Have the controller leave a request and its graph as they are.",
    "resume": "End a pause; the controller catches up.",
    "rollback": "Go back to an earlier plan, and keep it until told otherwise.",
}


def register(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the verbs and their flags."""
    for verb, purpose in _PURPOSES.items():
        parser = subparsers.add_parser(verb, description=f"{purpose} Tells the cluster through your kubectl.")
        living.add_flags(parser)
        parser.set_defaults(verb=verb)
        if verb == "approve":
            parser.add_argument("--plan", metavar="HASH", help="the plan you mean (the one that waits)")
        if verb == "rollback":
            goal = parser.add_mutually_exclusive_group(required=True)
            goal.add_argument("--to", metavar="HASH", help="the plan, as `dgdr history` lists it")
            goal.add_argument("--end", action="store_true", help="let the newest plan be applied again")


def run(flags: argparse.Namespace) -> int:
    """Say it to the cluster, and what follows to the user."""
    found = living.find(flags)
    match flags.verb:
        case "approve":
            word, said = _approval(flags, found)
        case "pause":
            word, said = f"{PAUSE}=true", "paused; nothing is done until `dgdr resume`"
        case "resume":
            word, said = f"{PAUSE}-", "resumed"
        case _:
            word, said = _way_back(flags, found)
    living.annotate(flags, word)
    sys.stdout.write(f"{found.name}: {said}\n")
    return FEASIBLE


def _approval(flags: argparse.Namespace, found: Living) -> tuple[str, str]:
    """The plan that waits: the one of a changed world first, else the recorded one."""
    recorded = standing.plan(found.request)
    waiting = found.report.get("pending-hash", "") if standing.waits(found.request) else ""
    meant = waiting or recorded
    if not meant:
        raise UsageError(f"{found.name} has no plan yet: `dgdr status {found.name}` says why")
    if flags.plan not in (None, meant, recorded):
        raise UsageError(f"the plan that waits is {meant}, not {flags.plan}: look at it with `dgdr diff {found.name}`")
    plan = flags.plan or meant
    return f"{APPROVE}={plan}", f"plan {plan} is approved"


def _way_back(flags: argparse.Namespace, found: Living) -> tuple[str, str]:
    if flags.end:
        return f"{ROLLBACK}-", "the newest plan is applied again"
    known = [str(entry["plan"]) for entry in standing.history(found.report)]
    if flags.to not in known:
        there = ", ".join(known) or "no plan"
        raise UsageError(f"{found.name} remembers {there}, not {flags.to}{options.nearest(flags.to, known)}")
    return f"{ROLLBACK}={flags.to}", f"goes back to plan {flags.to} and keeps it until `dgdr rollback --end`"
