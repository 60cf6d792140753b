"""Objects as text, and how much of them is read: what nobody asks for is skipped, and never becomes one of Python's.

Lists of thousands are most of a start. To read them whole takes several times as long, and to forget them again, too.
"""

import gc
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Generic, TypedDict, TypeVar

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType, field, json

Object = dict[str, Any]
Form = TypeVar("Form")

BULKY = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "nvidia.com/generated-dgd-spec",
        "nvidia.com/dgdr-spec",
        "nvidia.com/dgdr-status",
    }
)
"""Annotations that repeat a whole object for somebody else."""

ESCAPED = re.compile("[\x7f-\uffff]")
"""Characters that need one escape, and may not all stand in YAML as they are."""


class ListMeta(Struct, rename="camel"):
    """What a page says of its list. token: asks for the next page; the last one has none."""

    resource_version: str = ""
    token: str | None = field(default=None, name="continue")


class Page(Struct, Generic[Form]):
    """One page of a list."""

    metadata: ListMeta
    items: list[Form] | None = None


class Metadata(Struct, rename="camel"):
    """Metadata worth its memory; managed fields are not, and are often half of an object."""

    name: str
    namespace: str = ""
    resource_version: str | UnsetType = UNSET
    creation_timestamp: Any = UNSET
    deletion_timestamp: Any = UNSET
    uid: Any = UNSET
    generation: Any = UNSET
    labels: Any = UNSET
    annotations: Any = UNSET
    finalizers: Any = UNSET
    owner_references: Any = UNSET


class Kept(Struct, rename="camel"):
    """What is kept of a request or a graph. Its spec and its status stay text until somebody looks at them."""

    metadata: Metadata
    api_version: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    spec: Raw | UnsetType = UNSET
    status: Raw | UnsetType = UNSET

    def __post_init__(self) -> None:
        if not bytes(self.status or b"").startswith(b"{"):
            self.status = UNSET
        annotations = self.metadata.annotations or {}
        self.metadata.annotations = {name: value for name, value in annotations.items() if name not in BULKY}


class Outcome(TypedDict, total=False):
    """What of a status is asked of all requests at once."""

    phase: Any
    dgdName: Any
    conditions: Any


_outcome = json.Decoder(Outcome)
_kept = json.Decoder(Kept)


def kept(body: Mapping[str, Any]) -> Kept:
    """*body* as an event brings it, in the form in which lists are read."""
    return _kept.decode(json.encode(body))


def glimpse(found: Kept) -> Object:
    """What may be asked of all objects at once: `Outcome` of the status, and whose the object is."""
    outcome = _outcome.decode(found.status) if isinstance(found.status, Raw) else {}
    known = found.metadata
    metadata = {
        "namespace": known.namespace,
        "name": known.name,
        "labels": known.labels,
        "finalizers": known.finalizers,
    }
    return {"metadata": metadata, "status": outcome}


def packed(found: Kept) -> bytes:
    """*found* as text."""
    return json.encode(found)


def unpacked(text: bytes) -> Object:
    """What `packed` made of an object, as the API spells it."""
    found: Object = json.decode(text)
    return found


def yaml(body: Mapping[str, Any] | None) -> str:
    """*body* as JSON that is YAML, too: YAML knows no pairs of escapes, so what would need one stands as it is."""
    return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.encode(body).decode())


def parsed(text: bytes) -> object:
    """What *text* says, itself where it is no JSON."""
    try:
        return json.decode(text)
    except (MsgspecError, UnicodeDecodeError):
        return text.decode(errors="replace")


def page(text: bytes, form: type[Form]) -> Page[Form]:
    """A page of a list of such objects. Raises ValueError where *text* is none.

    While it is read nothing becomes garbage, and looking for it takes longer than reading.
    """
    gc.disable()
    try:
        found: Page[Form] = _pages(form).decode(text)  # type: ignore[arg-type]  # every type has a hash
    except MsgspecError as error:
        raise ValueError(str(error)) from error
    else:
        return found
    finally:
        gc.enable()


@cache
def _pages(form: Any) -> json.Decoder[Any]:  # noqa: ANN401 - types that are known at run time only
    return json.Decoder(Page[form])
