"""Writes what the chart derives from other files: its schema, its README, its copy of our definition and its rules.

`python -m charts.write` writes, `python -m charts.write --check` says what is out of date and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from charts import admission, dashboard, values

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "charts" / "dgdr-operator"
DEFINITION = ROOT / "crds" / "dynamographdeploymentrequests.nvidia.com.yaml"
HEADER = "# Written by `python -m charts.write` from crds/: change it there.\n"
WIDE = 4096
"""Columns before YAML breaks a line: expressions are read whole."""


def derived() -> dict[Path, str]:
    """File -> what it has to say. Raises Undescribed when values.yaml lacks a comment."""
    told = values.read((CHART / "values.yaml").read_text())
    definition = DEFINITION.read_text()
    rules = admission.rules(yaml.safe_load(definition))
    return {
        CHART / "values.schema.json": json.dumps(values.schema(told), indent=2) + "\n",
        CHART / "README.md": (CHART / "README.md.in").read_text().replace("@VALUES@", values.table(told)),
        CHART / "files" / "crds" / DEFINITION.name: definition,
        CHART / "files" / "dashboards" / "dgdr-operator.json": dashboard.written(),
        CHART / "files" / "request-rules.yaml": HEADER + yaml.safe_dump(rules, sort_keys=False, width=WIDE),
    }


def stale() -> list[Path]:
    """The files that do not say what they have to."""
    return [path for path, text in derived().items() if not path.is_file() or path.read_text() != text]


def main() -> int:
    """0 when every file is (now) up to date, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; name the files that are out of date")
    if parser.parse_args().check:
        late = [path.relative_to(ROOT).as_posix() for path in stale()]
        sys.stderr.writelines(f"{name} is out of date: run `make chart-docs`\n" for name in late)
        return 1 if late else 0
    for path, text in derived().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
