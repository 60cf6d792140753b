"""`kubectl_complete-dgdr`: what kubectl offers after `kubectl dgdr ...` and a tab; verbs, then names of requests.

kubectl passes the words typed so far and wants one candidate a line, and at the end a directive: 4, no files, please.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise

from dgdr_operator.cli import kubectl, living
from dgdr_operator.cli.kubectl import Refused
from dgdr_operator.cli.main import ROOMS, VERBS
from dgdr_operator.cli.options import UsageError

_NO_FILES = ":4"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the candidates; a cluster that says nothing offers none."""
    words = list(sys.argv[1:] if arguments is None else arguments) or [""]
    for candidate in _candidates(words):
        sys.stdout.write(f"{candidate}\n")
    sys.stdout.write(f"{_NO_FILES}\n")
    return 0


def _candidates(words: list[str]) -> list[str]:
    *typed, begun = words
    if not typed:
        return [verb for verb in VERBS if verb.startswith(begun)]
    if typed[0] not in ROOMS or begun.startswith("-"):
        return []
    try:
        names = kubectl.names(living.KIND, *_scope(typed))
    except (Refused, UsageError):
        return []
    return [name for name in names if name.startswith(begun) and name not in typed]


def _scope(typed: list[str]) -> list[str]:
    """The namespace and the context among the words, as kubectl takes them."""
    flags = ("-n", "--namespace", "--context")
    return [word for pair in pairwise(typed) if pair[0] in flags for word in pair]


if __name__ == "__main__":
    sys.exit(main())
