"""The flags with which a user changes a finished plan, and the list of what can be changed."""

import argparse
import sys
from dataclasses import replace
from typing import NoReturn

from dgdr_operator.cli import options
from dgdr_operator.cli.options import Parser
from dgdr_operator.manifest import arguments
from dgdr_operator.report import grid
from dgdr_operator.report.grid import Column

TARGETS = ("dynamo", "rbg")
_LEAST_WIDTH = 100
"""Characters that the list of arguments needs; a narrower terminal wraps it."""


def add_flags(parser: Parser) -> None:
    """Add the flags of this room."""
    group = parser.add_argument_group("the manifests")
    change = "change an engine argument: workers.decode.max_num_seqs=2048; may be given again"
    group.add_argument("--set", "--generator-set", metavar="PATH=VALUE", action="append", default=[], help=change)
    settable = "list the arguments that --set knows"
    group.add_argument("--set-help", "--generator-help", action=_Settable, nargs=0, help=settable)
    kinds = options.one_of(TARGETS)
    target = "dynamo (a DynamoGraphDeployment) or rbg (a RoleBasedGroup of plain SGLang)"
    group.add_argument("--target", metavar="KIND", type=kinds, default="dynamo", help=target)


def given(flags: argparse.Namespace) -> str:
    """The first of these flags that the user gave, "" for none."""
    return "--set" if flags.set else "--target" if flags.target != TARGETS[0] else ""


class _Settable(argparse.Action):
    """Prints what can be set, and ends the command as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print the tables of all engines."""
        paper = options.paper_of(sys.stdout)
        paper = replace(paper, width=max(paper.width, _LEAST_WIDTH))
        for backend, known in arguments.ARGUMENTS.items():
            table = [
                Column(head=("", f"workers.{backend}"), cells=tuple(one.name for one in known), left=True),
                Column(head=("", "type"), cells=tuple(one.kind for one in known), left=True),
                Column(head=("", "unless set"), cells=tuple(one.default for one in known), left=True),
            ]
            sys.stdout.write("\n".join([*grid.draw(table, paper), "", ""]))
        sys.stdout.write(
            "Any other argument that the manifest carries can be set too. A path is [workers.][ROLE.]ARGUMENT with\n"
            "ROLE agg, prefill or decode; without one, every worker. Dashes and underscores are the same.\n"
        )
        parser.exit()
