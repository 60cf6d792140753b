"""Reading a command line: one-sentence complaints with the nearest valid word, values checked where they enter."""

import argparse
import math
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn, TextIO

from dgdr_operator.report import paper
from dgdr_operator.report.paper import Paper

FEASIBLE = 0
BAD_INPUT = 2
INFEASIBLE = 3
UNREACHABLE = 4

# Far beyond any model or cluster, so that a slip of the finger is told instead of overflowing an array.
MOST_TOKENS = 100_000_000
MOST_GPUS = 100_000
MOST_MILLISECONDS = 1e9

_ARGUMENT = re.compile(r"argument (?P<flag>[^:]+): (?P<problem>.*)", re.DOTALL)
# Argparse's words for what a flag does wrong, and plainer ones.
_REWORDED = {"expected one argument": "needs a value", "not allowed with argument": "cannot be given together with"}
_MISSING = "the following arguments are required: "


class UsageError(Exception):
    """The command line or a file it names is wrong; the message is the whole complaint."""


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one sentence and guesses what was meant."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - hands argparse its own keywords
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the usage and leaving."""
        raise UsageError(_plain(message))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - argparse's overloads
        """As argparse does it, after a look for flags that do not exist, which is what a missing one often is."""
        for word in args or ():
            if word == "--":
                break
            if word.startswith("--") and self._is_verb:
                self._check(word.partition("=")[0])
        parsed, rest = super().parse_known_args(args, namespace)
        if rest:
            raise UsageError(f"{rest[0]!r} is one word too many")
        return parsed, rest

    @property
    def _is_verb(self) -> bool:
        return self._subparsers is None

    def _check(self, flag: str) -> None:
        if flag not in self._option_string_actions:
            raise UsageError(f"there is no flag {flag}{nearest(flag, self._option_string_actions)}")


def _plain(message: str) -> str:
    if message.startswith(_MISSING):
        names = [name.split("/")[0] for name in message.removeprefix(_MISSING).split(", ")]
        return f"{', '.join(names)} must be given"
    if match := _ARGUMENT.fullmatch(message):
        problem = match["problem"]
        for theirs, ours in _REWORDED.items():
            problem = problem.replace(theirs, ours)
        return f"{match['flag'].split('/')[0]} {problem}"
    return message


def spelled(arguments: Iterable[str]) -> list[str]:
    """*arguments* with the underscores of flag names turned into dashes: --total_gpus=8 is --total-gpus=8."""
    return [_spelled(word) if word.startswith("--") else word for word in arguments]


def _spelled(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def nearest(word: str, allowed: Iterable[str]) -> str:
    """ "; did you mean X?" for the allowed word closest to *word*, or nothing when none is close."""
    close = get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def whole(unit: str, most: int, least: int = 1) -> Callable[[str], int]:
    """A reader of whole numbers from *least* to *most*; *unit* is what one of them is called."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number of {unit}s, not {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least} {unit}{'' if least == 1 else 's'}, not {value}")
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most} {unit}s, not {text}")
        return value

    return read


def positive(unit: str, most: float) -> Callable[[str], float]:
    """A reader of numbers above zero, up to *most*."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"must be a number of {unit} above 0 and at most {most:g}, not {text!r}")
        return value

    return read


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a probability from 0 to 1, not {text!r}")
    return value


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """A reader of one of the *allowed* words."""

    def read(text: str) -> str:
        if text not in allowed:
            hint = nearest(text, allowed)
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(allowed)}, not {text!r}{hint}")
        return text

    return read


def paper_of(stream: TextIO) -> Paper:
    """The paper that *stream* is: as wide as the terminal (80 without one), Unicode where its encoding has it."""
    return Paper(width=shutil.get_terminal_size().columns, unicode=paper.can_show_unicode(stream.encoding))
