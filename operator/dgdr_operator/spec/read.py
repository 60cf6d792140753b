"""The one way from a request's dict to a DeploymentRequest: is it carryable, well-formed, meaningful; then nouns."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from dgdr_operator.errors import InvalidSpec, nearest
from dgdr_operator.request import DeploymentRequest, Identity
from dgdr_operator.spec import alpha, annotations, meaning, nouns, problems, schema, shape, words

GROUP = "nvidia.com"
KIND = "DynamoGraphDeploymentRequest"
VERSIONS = (f"{GROUP}/v1beta1", f"{GROUP}/v1alpha1")


def read(body: object) -> DeploymentRequest:
    """The request that *body* (an object as JSON or YAML gives it) describes; milliseconds and MiB become SI here.

    Raises InvalidSpec with every problem found, and nothing else, whatever *body* is.
    """
    document = _document(body)
    spec, spelling = _spec(document)
    _refuse((spelling(path), problem) for path, problem in meaning.problems(spec))
    own = document["metadata"].get("annotations") or {}
    request = nouns.request(_identity(document), spec, annotations.knobs(own))
    policy, targets = annotations.policy(own, request.policy), annotations.targets(own, request.targets)
    return replace(request, policy=policy, targets=targets)


def _refuse(found: Iterator[tuple[str, str]]) -> None:
    listed = tuple(found)
    if listed:
        raise InvalidSpec(listed)


def _document(body: object) -> dict[str, Any]:
    """*body* when it is a request of a version we read, with a name; its free parts are carryable."""
    if not isinstance(body, Mapping):
        raise InvalidSpec.at("the document", f"must be a {KIND}, not {words.show(body)}")
    document = {key: body[key] for key in body if key != "status"}
    _refuse(shape.problems(document))
    _refuse(_header_problems(document))
    return document


def _header_problems(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    version, kind = document.get("apiVersion", VERSIONS[0]), document.get("kind", KIND)
    if version not in VERSIONS:
        yield "apiVersion", f"must be {' or '.join(VERSIONS)}, not {words.show(version)}{nearest(version, VERSIONS)}"
    if kind != KIND:
        yield "kind", f"must be {KIND}, not {words.show(kind)}"
    yield from _metadata_problems(document.get("metadata"))
    if not isinstance(document.get("spec"), dict):
        yield "spec", f"must be an object with at least a model, not {words.show(document.get('spec'))}"


def _metadata_problems(metadata: object) -> Iterator[tuple[str, str]]:
    if not isinstance(metadata, dict):
        yield "metadata", f"must be an object with at least a name, not {words.show(metadata)}"
        return
    for field, needed in (("name", True), ("namespace", False)):
        value = metadata.get(field)
        if (value is not None or needed) and not (isinstance(value, str) and words.DNS_LABEL.fullmatch(value)):
            rule = "must be at most 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit"
            yield f"metadata.{field}", f"{rule}, not {words.show(value)}"
    own = metadata.get("annotations") or {}
    if isinstance(own, dict):
        yield from annotations.problems(own)
    else:
        yield "metadata.annotations", f"must be an object, not {words.show(own)}"


def _spec(document: Mapping[str, Any]) -> tuple[schema.Spec, Callable[[str], str]]:
    """The spec in the words of v1beta1, and how its paths were spelt in the document."""
    spec = document["spec"]
    if document.get("apiVersion") == VERSIONS[1]:
        return _beta(alpha.to_beta(_alpha(spec)), alpha.spelling), alpha.spelling
    return _beta(spec, str), str


def _alpha(spec: Mapping[str, Any]) -> alpha.AlphaSpec:
    try:
        parsed = alpha.AlphaSpec.model_validate(spec)
    except ValidationError as error:
        raise InvalidSpec(tuple(problems.sentences(error, alpha.AlphaSpec, "spec"))) from None
    _refuse(alpha.problems(parsed))
    return parsed


def _beta(spec: Mapping[str, Any], spelling: Callable[[str], str]) -> schema.Spec:
    try:
        return schema.Spec.model_validate(spec)
    except ValidationError as error:
        found = problems.sentences(error, schema.Spec, "spec")
        raise InvalidSpec(tuple((spelling(path), problem) for path, problem in found)) from None


def _identity(document: Mapping[str, Any]) -> Identity:
    metadata = document["metadata"]
    generation, uid = metadata.get("generation"), metadata.get("uid")
    return Identity(
        name=metadata["name"],
        namespace=metadata.get("namespace") or "default",
        uid=uid if isinstance(uid, str) else "",
        generation=generation if isinstance(generation, int) else 0,
        api_version="v1alpha1" if document.get("apiVersion") == VERSIONS[1] else "v1beta1",
    )
