"""What an examination can look at: pods, nodes, a graph, logs; read into the few facts that matter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dgdr_operator.inventory import FABRIC, GPU, GRAPH
from dgdr_operator.manifest.affinity import COMPONENT_TYPE

_KIND_LABELS = ("nvidia.com/dynamo-sub-component-type", COMPONENT_TYPE)
_MAIN = "main"
_ROLE_FLAGS = {"--is-prefill-worker": "prefill", "--is-decode-worker": "decode"}

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was seen; None: not looked at, which is not the same as empty.

    pods, nodes, claims: objects of the core API; graph: a DynamoGraphDeployment; logs: pod name -> text;
    secrets: names that exist in the namespace.
    """

    pods: tuple[Tree, ...]
    nodes: tuple[Tree, ...] | None = None
    graph: Tree | None = None
    logs: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] | None = None
    claims: tuple[Tree, ...] | None = None

    def examined(self) -> list["Pod"]:
        """The pods of the graph; of any graph when none was named; all, when no pod is of a graph."""
        name = None if self.graph is None else self.graph["metadata"]["name"]
        labelled = [one for one in self.pods if GRAPH in (_metadata(one).get("labels") or {})]
        own = [one for one in labelled if name is None or _metadata(one)["labels"][GRAPH] == name]
        return [Pod(tree=one) for one in (own if labelled else self.pods)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod."""

    tree: Tree

    @property
    def name(self) -> str:
        """Its name."""
        return str(_metadata(self.tree).get("name", "?"))

    @property
    def node(self) -> str:
        """Where it runs, "" while it does not."""
        return str(self.spec.get("nodeName") or "")

    @property
    def spec(self) -> Tree:
        """Its specification."""
        return self.tree.get("spec") or {}

    @property
    def status(self) -> Tree:
        """Its status."""
        return self.tree.get("status") or {}

    @property
    def main(self) -> Tree:
        """The container that serves: `main`, else the first."""
        containers = self.spec.get("containers") or [{}]
        return next((one for one in containers if one.get("name") == _MAIN), containers[0])

    @property
    def words(self) -> list[str]:
        """Its command line."""
        return [str(word) for word in (*(self.main.get("command") or ()), *(self.main.get("args") or ()))]

    @property
    def kind(self) -> str:
        """frontend, worker, prefill, decode, or "" for none of these: by its command line, else by its labels."""
        words = self.words
        if "--disaggregation-mode" in words[:-1]:
            return words[words.index("--disaggregation-mode") + 1]
        told = next((kind for flag, kind in _ROLE_FLAGS.items() if flag in words), "")
        labels = _metadata(self.tree).get("labels") or {}
        return told or next((labels[key] for key in _KIND_LABELS if key in labels), "")

    @property
    def is_apart(self) -> bool:
        """Whether it hands keys and values to another pod, or takes them."""
        return self.kind in {"prefill", "decode"}

    @property
    def env(self) -> dict[str, str]:
        """Plain variables of its main container."""
        return {one["name"]: str(one.get("value", "")) for one in self.main.get("env") or ()}

    @property
    def devices(self) -> dict[str, int]:
        """GPUs and RDMA devices that its containers ask for together."""
        found: dict[str, int] = {}
        for container in self.spec.get("containers") or ():
            resources = container.get("resources") or {}
            asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
            for name, count in asked.items():
                if name == GPU or FABRIC.fullmatch(name):
                    found[name] = found.get(name, 0) + whole(count)
        return found

    @property
    def mounts(self) -> dict[str, Tree]:
        """Path -> volume, in its main container."""
        volumes = {one["name"]: one for one in self.spec.get("volumes") or ()}
        return {
            str(mount["mountPath"]).rstrip("/"): volumes.get(mount["name"], {})
            for mount in self.main.get("volumeMounts") or ()
        }

    def statuses(self) -> Iterator[Tree]:
        """What became of its containers."""
        for part in ("initContainerStatuses", "containerStatuses"):
            yield from self.status.get(part) or ()


def whole(count: object) -> int:
    """A device count, which the API writes as text; 0 for what is none. Thousands may be written 1k."""
    text = str(count).strip()
    number = text.removesuffix("k")
    if not number.isdigit():
        return 0
    return int(number) * (1000 if text.endswith("k") else 1)


def _metadata(tree: Tree) -> Tree:
    return tree.get("metadata") or {}
