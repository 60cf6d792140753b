"""A node of kind's, where Docker answers: for the same tests, with the image that Docker builds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from e2e import backends
from e2e.cluster import Cluster
from e2e.node import image
from e2e.node.node import Node
from e2e.node.tools import run


@contextmanager
def on_kind(folder: Path) -> Iterator[Node]:
    """A cluster of this run; raises BuildError or NodeError."""
    size = image.by_docker()
    with backends.kind(folder) as cluster:
        run("kind", "load", "docker-image", image.OURS, "--name", backends.KIND_NAME)
        name = cluster.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
        yield Node(cluster=cluster, name=name, image_size=size, words=partial(_words, cluster))


def _words(cluster: Cluster, namespace: str) -> str:
    """What the containers of *namespace* that are still there said."""
    pods = cluster.kubectl("--namespace", namespace, "get", "pods", "-o", "name").split()
    return "\n".join(cluster.kubectl("--namespace", namespace, "logs", "--all-containers", pod) for pod in pods)
