"""Dynamo releases as data: which engine each one carries, which flags it knows, and which image a request means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dgdr_operator.errors import InvalidSpec
from dgdr_operator.request import Runtime

RUNTIMES: Mapping[str, str] = {"vllm": "vllm-runtime", "sglang": "sglang-runtime", "trtllm": "tensorrtllm-runtime"}
"""Image name by engine, the same in every release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One Dynamo minor release.

    engines: version of each engine in its runtime images; role_flags: vLLM workers take --is-prefill-worker and
    --is-decode-worker instead of --disaggregation-mode and a connector; beta_graphs: the release's platform serves
    DynamoGraphDeployment v1beta1; graph_batch_flag: SGLang's name for the largest captured batch;
    moe_dense_flag: SGLang takes --moe-dense-tp-size; memory_flag: vLLM's own share of GPU memory is no longer the
    0.9 that estimates assume; kv_events_flag: TensorRT-LLM's name for telling which prefixes it holds;
    efa: tag suffix of images with libraries for EFA, by engine.
    """

    minor: tuple[int, int]
    engines: Mapping[str, str]
    role_flags: bool = False
    beta_graphs: bool = False
    graph_batch_flag: str = "--cuda-graph-max-bs"
    moe_dense_flag: bool = True
    memory_flag: bool = False
    kv_events_flag: str = "--publish-events-and-metrics"
    efa: Mapping[str, str] = field(default_factory=dict)


def _engines(vllm: str, sglang: str, trtllm: str) -> Mapping[str, str]:
    return {"vllm": vllm, "sglang": sglang, "trtllm": trtllm}


_EFA_EARLY = {"vllm": "-efa-amd64", "trtllm": "-efa-amd64"}
_EFA_AMD64 = {**_EFA_EARLY, "sglang": "-efa-amd64"}
_EFA = dict.fromkeys(RUNTIMES, "-efa")

RELEASES = (
    Release(minor=(0, 8), engines=_engines("0.12.0", "0.5.6.post2", "1.2.0rc6.post1"), role_flags=True,
            moe_dense_flag=False),
    Release(minor=(0, 9), engines=_engines("0.14.1", "0.5.8", "1.3.0rc1"), role_flags=True, moe_dense_flag=False),
    Release(minor=(1, 0), engines=_engines("0.16.0", "0.5.9", "1.3.0rc5.post1"), efa=_EFA_EARLY),
    Release(minor=(1, 1), engines=_engines("0.19.0", "0.5.10.post1", "1.3.0rc11"), efa=_EFA_AMD64),
    Release(minor=(1, 2), engines=_engines("0.20.1", "0.5.11", "1.3.0rc14"), beta_graphs=True, memory_flag=True,
            efa=_EFA_AMD64),
    Release(minor=(1, 3), engines=_engines("0.23.0", "0.5.14", "1.3.0rc19"), beta_graphs=True, memory_flag=True,
            efa=_EFA),
    Release(minor=(1, 4), engines=_engines("0.26.0", "0.5.16", "1.3.0rc22"), beta_graphs=True, memory_flag=True,
            efa=_EFA),
    Release(minor=(1, 5), engines=_engines("0.27.1", "0.5.17", "1.3.0rc24"), beta_graphs=True, memory_flag=True,
            efa=_EFA, kv_events_flag="--publish-kv-events"),
    Release(minor=(1, 6), engines=_engines("0.31.0", "0.5.21", "1.3.0rc29"), beta_graphs=True, memory_flag=True,
            efa=_EFA, kv_events_flag="--publish-kv-events", graph_batch_flag="--cuda-graph-max-bs-decode"),
)  # fmt: skip
"""Source: the platform's release notes and the flags its runtime images accept (dynamo contract, section 4.2)."""

FIRST_PLANNER_IMAGE = (1, 1)
"""Release from which platform tools live in dynamo-planner; dynamo-frontend has them before."""

_TAG = re.compile(r"[vV]?(\d{1,4})\.(\d{1,4})\.(\d{1,4})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
"""Image tags from which the platform can tell the version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The release a graph is written for.

    release: the row of the table; image_prefix: registry and folder; image_suffix: tag or digest with its separator;
    version_override: to be written on every component when the image does not tell; note: "" or a warning.
    """

    release: Release
    image_prefix: str
    image_suffix: str
    version_override: str | None = None
    note: str = ""

    def image(self, backend: str, *, efa: bool = False) -> str:
        """The runtime image of *backend*; *efa*: the one with libraries for EFA, where the tag is a plain version."""
        plain = _TAG.fullmatch(self.image_suffix.removeprefix(":"))
        suffix = self.release.efa.get(backend, "") if efa and plain and "efa" not in self.image_suffix else ""
        return f"{self.image_prefix}/{RUNTIMES[backend]}{self.image_suffix}{suffix}"

    @property
    def tools_image(self) -> str:
        """The image with the parts of the platform that need no engine, such as mocked workers."""
        name = "dynamo-planner" if self.release.minor >= FIRST_PLANNER_IMAGE else "dynamo-frontend"
        return f"{self.image_prefix}/{name}{self.image_suffix}"


def demand(release: Release, first: tuple[int, int], path: str) -> None:
    """Raises InvalidSpec at *path*, whose field a release older than *first* does not know."""
    if release.minor < first:
        known, asked = (".".join(map(str, minor)) for minor in (first, release.minor))
        raise InvalidSpec.at(path, f"needs Dynamo {known} or newer, and the image is of {asked}")


def target(runtime: Runtime, dynamo_version: str, registry: str) -> Target:
    """The release that *runtime* asks for: its override, else its image's tag, else *dynamo_version*.

    Raises InvalidSpec for an image whose version cannot be told, or for a release older than the table.
    """
    prefix, suffix, tagged = _image(runtime.image, registry)
    version = runtime.version or tagged
    if runtime.image is not None and version is None:
        shown = f"the tag of {runtime.image} is no version such as 1.4.0"
        raise InvalidSpec.at("spec.runtimeVersionOverride", f"is required: {shown}")
    version = version or dynamo_version
    path = (
        "spec.runtimeVersionOverride" if runtime.version else "spec.image" if tagged else "the setting dynamo version"
    )
    release, note = _release(version, path)
    return Target(
        release=release,
        image_prefix=prefix,
        image_suffix=suffix or f":{version}",
        version_override=None if tagged or runtime.image is None else runtime.version,
        note=note,
    )


def _image(image: str | None, registry: str) -> tuple[str, str, str | None]:
    """Folder, tag or digest with separator, and the version that the tag tells; of *image*, else of *registry*."""
    if image is None:
        return registry, "", None
    named, at, digest = image.partition("@")
    folder, _, last = named.rpartition("/")
    _, colon, tag = last.partition(":")
    told = _TAG.fullmatch(tag)
    suffix = f"{colon}{tag}" if tag else f"{at}{digest}"
    return folder or registry, suffix, tag if told else None


def _release(version: str, path: str) -> tuple[Release, str]:
    parsed = _TAG.fullmatch(version)
    if parsed is None:
        raise InvalidSpec.at(path, f"must be a version such as 1.4.0, not {version!r}")
    minor = (int(parsed[1]), int(parsed[2]))
    older = [release for release in RELEASES if release.minor <= minor]
    if not older:
        oldest = ".".join(map(str, RELEASES[0].minor))
        raise InvalidSpec.at(path, f"must be Dynamo {oldest} or newer, not {version}")
    release = older[-1]
    known = ".".join(map(str, release.minor))
    if release.minor == minor:
        return release, ""
    return release, f"Dynamo {version} is not known yet: flags and engine versions are those of {known}"
