"""Kubernetes objects as the YAML a person would write: block style, keys in the order they were built."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Writes equal values in full every time, and indents the items of a list under their key."""

    def ignore_aliases(self, _: object) -> bool:
        """Never an anchor: nobody reads them, and objects are edited by hand."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        """Items of a list stand deeper than their key."""
        super().increase_indent(flow=flow, indentless=False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """Several lines stand as lines."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dump(objects: Iterable[Mapping[str, Any]]) -> str:
    """*objects* as one YAML stream, the same text for the same objects."""
    return "---\n".join(
        yaml.dump(
            dict(one), Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=_WIDTH, allow_unicode=True
        )
        for one in objects
    )


def load(text: str) -> list[Mapping[str, Any]]:
    """The objects in *text*; none where it is not YAML."""
    try:
        return [one for one in yaml.safe_load_all(text) if isinstance(one, Mapping)]
    except yaml.YAMLError:
        return []
