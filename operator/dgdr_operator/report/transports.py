"""Which network keys and values took, read from a worker's log: lines of NIXL, UCX and the engines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

RDMA_FLOOR = 1000.0
"""MB/s below which no RDMA network moves keys and values (dynamo contract, section 5.4)."""

_BACKEND = re.compile(r"Backend (UCX|LIBFABRIC|Mooncake|GDS|GDS_MT|OBJ|POSIX) was instantiated")
_ENDPOINT = re.compile(r"UCX\s+(?:INFO|DEBUG|DIAG).*?(?:ep_cfg\[\d+\]|inter-node cfg|self cfg|cfg#\d+)[^\n]*")
_TRANSPORT = re.compile(r"\b(rc|dc|ud|rc_mlx5|dc_mlx5|ud_mlx5|rc_verbs|ud_verbs|rc_x|dc_x|srd|tcp)/")
_RATE = re.compile(r"Throughput \(MB/s\)=\s*([0-9]+(?:\.[0-9]+)?)")
_EFA = re.compile(r"\b(?:provider|prov)[:= ]+efa\b|Selected [Pp]rovider is efa", re.IGNORECASE)
_SLOW = frozenset({"tcp"})

_TROUBLES = (
    (
        r"no RDMA transports? available|falling back to TCP",
        "the device is not usable inside the container: check the RDMA resource, the device plugin and UCX_NET_DEVICES",
    ),
    (
        r"NIXL_ERR_BACKEND|NIXL is not available|[Ff]ailed to (?:create|instantiate) (?:backend )?(?:UCX|NIXL)",
        "NIXL did not start: the image must carry it and its plugin, and the network settings must name a device",
    ),
    (
        r"ibv_reg_mr|max(?:imum)? locked memory|RLIMIT_MEMLOCK|memlock",
        "pages cannot be locked: add the capability IPC_LOCK to a container that runs as root",
    ),
    (
        r"UCX CUDA support was not found|cuda_copy.*not (?:found|available)",
        "UCX cannot reach GPU memory: UCX_TLS must contain cuda_copy or cuda_ipc, in an image whose UCX has CUDA",
    ),
    (
        r"Destination is unreachable|(?i:remote.disconnect)|ENDPOINT_TIMEOUT|transport retry count exceeded",
        "the other side is not reached: set UCX_IB_ADDR_TYPE=eth on RoCE, or UCX_NET_DEVICES to the port that is up",
    ),
)
"""What a log line says -> what to change. Sources: logs of NIXL and UCX in public issues, the customer's guide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A line that tells of trouble, and what to do about it."""

    line: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """What one log says.

    backend: of NIXL, "" when the log is silent; networks: transports that endpoints chose; rate: slowest reported
    MB/s, None without a report; troubles: in the order of the log.
    """

    backend: str
    networks: frozenset[str]
    rate: float | None
    troubles: tuple[Trouble, ...]

    @property
    def is_silent(self) -> bool:
        """Whether nothing was said about networks at all."""
        return not (self.backend or self.networks or self.troubles) and self.rate is None

    @property
    def is_slow(self) -> bool:
        """Whether what was said speaks against RDMA."""
        only_tcp = bool(self.networks) and self.networks <= _SLOW
        return only_tcp or (self.rate is not None and self.rate < RDMA_FLOOR)


def read(log: str) -> Transport:
    """What *log* says about the way of keys and values."""
    backends = _BACKEND.findall(log)
    networks = {name for line in _ENDPOINT.findall(log) for name in _TRANSPORT.findall(line)}
    networks |= {"efa"} if _EFA.search(log) else set()
    rates = [float(found) for found in _RATE.findall(log)]
    return Transport(
        backend=backends[0] if backends else "",
        networks=frozenset(networks),
        rate=min(rates) if rates else None,
        troubles=tuple(_troubles(log)),
    )


def _troubles(log: str) -> Iterator[Trouble]:
    """The first line of every kind of trouble."""
    for pattern, advice in _TROUBLES:
        if match := re.search(pattern, log):
            start, end = log.rfind("\n", 0, match.start()) + 1, log.find("\n", match.end())
            yield Trouble(line=log[start : end if end >= 0 else None].strip()[:200], advice=advice)
