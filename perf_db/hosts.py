"""What the host adds to a step, per engine, as fitted to measured runs: values, their certainty, and their worth."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perf_db.errors import BrokenPack

FILE = "hosts.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant in seconds.

    value: as fitted; low, high: its 90 % interval over groups drawn anew; prior: what stands in the engine's file;
    least, most: what is physically possible.
    """

    value: float
    low: float
    high: float
    prior: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The constants of one engine.

    kept: they predict groups and models better than the priors, were those left out; scores: "prior" and "fitted" ->
    how far off (capped logarithms, see the method) in sample and with groups, models, systems left out; errors: the
    same as metric -> (mean, median) of the error's size, a share of the measured value; rows, groups: of how many runs.
    """

    constants: Mapping[str, Constant]
    kept: bool
    scores: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]
    rows: int
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """All fits. source, sha256: the runs, in words and as a file; date: when, as told."""

    source: str
    sha256: str
    date: str
    method: str
    engines: Mapping[str, Fit]

    def values(self, backend: str) -> dict[str, float]:
        """Constants of that engine that replace its priors, seconds by name; none if the fit is not kept."""
        fit = self.engines.get(backend)
        return {} if fit is None or not fit.kept else {name: one.value for name, one in fit.constants.items()}


def read(root: Path) -> Hosts | None:
    """The fits beside the packs under *root*; None if there are none. Raises BrokenPack."""
    path = root / FILE
    try:
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Hosts(**tree | {"engines": {name: _fit(one) for name, one in tree["engines"].items()}})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BrokenPack(str(path), str(problem)) from problem


def text(hosts: Hosts) -> str:
    """The file that read() understands."""
    return json.dumps(asdict(hosts), indent=1, ensure_ascii=False) + "\n"


def _fit(tree: Mapping[str, Any]) -> Fit:
    constants = {name: Constant(**one) for name, one in tree["constants"].items()}
    errors = {
        who: {name: {metric: tuple(both) for metric, both in found.items()} for name, found in told.items()}
        for who, told in tree.get("errors", {}).items()
    }
    return Fit(**{**tree, "constants": constants, "errors": errors})
