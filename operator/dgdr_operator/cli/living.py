"""A request that lives in a cluster, and its report: found through the user's kubectl, by name."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dgdr_operator.cli import kubectl, options
from dgdr_operator.cli.kubectl import Missing, Refused
from dgdr_operator.cli.options import Parser, UsageError
from dgdr_operator.planned import report_name

KIND = "dynamographdeploymentrequests.nvidia.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """The request, and the files of its report (none where there is none)."""

    request: Mapping[str, Any]
    report: Mapping[str, str]

    @property
    def name(self) -> str:
        """The request's name."""
        return str(self.request["metadata"]["name"])


def add_flags(parser: Parser, *, optional: bool = False) -> None:
    """Add the request's name, and where it is."""
    parser.add_argument("name", metavar="NAME", nargs="?" if optional else None, help="name of the request")
    parser.add_argument("-n", "--namespace", metavar="NAME", help="its namespace (the context's)")
    parser.add_argument("--context", metavar="NAME", help="context of your kubeconfig (the current one)")


def scope(flags: argparse.Namespace) -> tuple[str, ...]:
    """The words that tell kubectl where to look."""
    context = ("--context", flags.context) if flags.context else ()
    return (*context, "-n", flags.namespace) if flags.namespace else context


def find(flags: argparse.Namespace) -> Living:
    """The request that *flags* name, with its report. Raises UsageError when there is none, with the nearest name."""
    try:
        (request,) = kubectl.objects(KIND, flags.name, *scope(flags))
    except Missing:
        raise UsageError(f"there is no request {flags.name}{_nearest(flags)}") from None
    return Living(request=request, report=_report(flags))


def annotate(flags: argparse.Namespace, word: str) -> None:
    """Sets an annotation (`name=value`) of the request, or takes it away (`name-`)."""
    kubectl.run("annotate", KIND, flags.name, word, "--overwrite", *scope(flags))


def _report(flags: argparse.Namespace) -> Mapping[str, str]:
    try:
        (found,) = kubectl.objects("configmaps", report_name(flags.name), *scope(flags))
    except Missing:
        return {}
    data: Mapping[str, str] = found.get("data") or {}
    return data


def _nearest(flags: argparse.Namespace) -> str:
    try:
        return options.nearest(flags.name, kubectl.names(KIND, *scope(flags)))
    except Refused:
        return ""
