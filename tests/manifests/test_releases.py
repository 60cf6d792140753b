"""Which Dynamo release an image stands for, and what becomes of the image."""

import pytest

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.manifest import releases
from dgdr_operator.manifest.releases import Target
from dgdr_operator.request import Runtime

REGISTRY = "nvcr.io/nvidia/ai-dynamo"


def target(image: str | None = None, version: str | None = None) -> Target:
    """The target of a request that names these, with 1.4.0 as the operator's choice."""
    return releases.target(Runtime(image=image, version=version), "1.4.0", REGISTRY)


def test_without_an_image_the_operators_release_is_meant() -> None:
    found = target()

    assert found.release.minor == (1, 4)
    assert found.image("vllm") == f"{REGISTRY}/vllm-runtime:1.4.0"
    assert found.version_override is None


@pytest.mark.parametrize(
    ("image", "minor", "worker"),
    [
        (f"{REGISTRY}/dynamo-frontend:0.8.0", (0, 8), f"{REGISTRY}/vllm-runtime:0.8.0"),
        ("localhost:5000/mirror/dynamo-planner:v1.2.3-rc1", (1, 2), "localhost:5000/mirror/vllm-runtime:v1.2.3-rc1"),
        ("dynamo-planner:1.6.1", (1, 6), f"{REGISTRY}/vllm-runtime:1.6.1"),
    ],
)
def test_registry_and_tag_of_an_image_are_kept(image: str, minor: tuple[int, int], worker: str) -> None:
    found = target(image)

    assert (found.release.minor, found.image("vllm")) == (minor, worker)


@pytest.mark.parametrize("tag", ["", ":latest", ":1.4", ":1.4.0.post1", "@sha256:0123"])
def test_an_image_that_tells_no_version_needs_one_beside_it(tag: str) -> None:
    with pytest.raises(InvalidSpec, match="is required") as refused:
        target(f"{REGISTRY}/dynamo-planner{tag}")

    assert refused.value.path == "spec.runtimeVersionOverride"


def test_a_version_beside_a_nameless_tag_decides_and_is_written_down() -> None:
    found = target(f"{REGISTRY}/dynamo-planner@sha256:0123", "1.3.0")

    assert found.release.minor == (1, 3)
    assert found.image("sglang") == f"{REGISTRY}/sglang-runtime@sha256:0123"
    assert found.version_override == "1.3.0"


def test_a_version_alone_names_the_image() -> None:
    found = target(version="1.1.0")

    assert found.image("trtllm") == f"{REGISTRY}/tensorrtllm-runtime:1.1.0"
    assert found.version_override is None


@pytest.mark.parametrize(("version", "nearest"), [("1.7.0", "1.6"), ("2.0.0", "1.6"), ("1.6.9", "")])
def test_a_release_newer_than_the_table_uses_the_nearest_row_and_says_so(version: str, nearest: str) -> None:
    note = target(version=version).note

    assert (nearest in note) if nearest else note == ""


def test_a_release_older_than_the_table_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"must be Dynamo 0\.8 or newer, not 0\.7\.1"):
        target(version="0.7.1")


def test_rows_stand_in_order() -> None:
    minors = [release.minor for release in releases.RELEASES]

    assert minors == sorted(set(minors))
    assert all(set(release.engines) == set(releases.RUNTIMES) for release in releases.RELEASES)
