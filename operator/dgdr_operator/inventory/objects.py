"""What of Node and Pod objects is read: the rest of a long list need not even be kept."""

from typing import Any, TypedDict


class Marks(TypedDict, total=False):
    """Metadata."""

    name: Any
    namespace: Any
    labels: Any


class Capacity(TypedDict, total=False):
    """The status of a node. The list of its images, which nobody asks for, is longer than all the rest."""

    allocatable: Any
    conditions: Any


class Node(TypedDict, total=False):
    """A node, as `server` reads it."""

    metadata: Marks
    spec: Any
    status: Capacity


class Container(TypedDict, total=False):
    """A container of a pod."""

    resources: Any
    restartPolicy: Any


class Containers(TypedDict, total=False):
    """The spec of a pod."""

    nodeName: Any
    containers: list[Container] | None
    initContainers: list[Container] | None


class Condition(TypedDict, total=False):
    """The status of a pod."""

    phase: Any


class Pod(TypedDict, total=False):
    """A pod, as `Usage` counts it."""

    metadata: Marks
    spec: Containers
    status: Condition
