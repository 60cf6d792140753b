"""What can go wrong between a request and its graph, as one tree.

* JourneyError
  x InvalidSpec    -- the request is wrong; every problem found, each with the path of its field
  x InvalidSetting -- the operator's own configuration is wrong
  x Unsupported    -- the request is right, but asks for something this release cannot do or has no data for
  x ManifestError  -- a graph broke a rule that every graph must keep; *rule* names it
  x NoMeasurement  -- a file that should hold what a benchmark measured does not

The estimator's tree (`estimator.errors`) and the database's (`perf_db.errors`) pass through the journey untouched.
Every error keeps its own arguments, so it survives pickling between processes.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class JourneyError(Exception):
    """Anything that stops the journey above the estimator."""


class InvalidSpec(JourneyError):
    """The request is wrong: *problems* are pairs of a path such as "spec.workload.isl" and what is wrong there."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    @classmethod
    def at(cls, path: str, problem: str) -> "InvalidSpec":
        """One problem with one field."""
        return cls(((path, problem),))

    @property
    def path(self) -> str:
        """The field of the first problem."""
        return self.problems[0][0]

    @property
    def problem(self) -> str:
        """What is wrong with that field."""
        return self.problems[0][1]

    def __str__(self) -> str:
        return "; ".join(f"{path} {problem}" for path, problem in self.problems)


class InvalidSetting(JourneyError):
    """The setting *name* (an environment variable) is wrong because of *problem*."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(name, problem)

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


class Unsupported(JourneyError):
    """The request asks for *subject*, which this release cannot do because of *problem*."""

    def __init__(self, subject: str, problem: str) -> None:
        self.subject = subject
        self.problem = problem
        super().__init__(subject, problem)

    def __str__(self) -> str:
        return f"unsupported: {self.subject}: {self.problem}"


class ManifestError(JourneyError):
    """A generated graph breaks *rule*; *detail* says where."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        self.detail = detail
        super().__init__(rule, detail)

    def __str__(self) -> str:
        return f"the graph breaks the rule {self.rule}: {self.detail}"


class NoMeasurement(JourneyError):
    """*source* does not hold what AIPerf writes, because of *problem*."""

    def __init__(self, source: str, problem: str) -> None:
        self.source = source
        self.problem = problem
        super().__init__(source, problem)

    def __str__(self) -> str:
        return f"{self.source} {self.problem}"


def nearest(value: object, allowed: Iterable[str]) -> str:
    """`; did you mean X?` for the allowed word that *value* begins or resembles, or nothing when none is close."""
    word, words = str(value)[:100], list(allowed)
    begun = [candidate for candidate in words if word and candidate.startswith(word)]
    close = begun or get_close_matches(word, words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""
