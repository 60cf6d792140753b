"""The command line of the controller: how it runs, not what it plans, which is the settings' part."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from dgdr_operator.controller.logs import LogFormat
from dgdr_operator.controller.modes import Mode
from dgdr_operator.controller.pace import WRITES_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line. namespace: None for all; slots: estimator processes; metrics_port: None for the probes' own.

    lease: namespace and name of the Lease that replicas share, None for a replica that is alone; writes: per second;
    mode: whose requests they are.
    """

    namespace: str | None
    probe_address: str
    probe_port: int
    slots: int
    log_level: str
    log_format: LogFormat = "json"
    metrics_port: int | None = None
    lease: tuple[str, str] | None = None
    writes: float = WRITES_PER_SECOND
    mode: Mode = "auto"


def read(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line; exits with 2 and one message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="dgdr_operator", description="Turns DynamoGraphDeploymentRequests into DynamoGraphDeployments."
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--namespace", metavar="NS", help="serve the requests of one namespace")
    where.add_argument("--all-namespaces", action="store_true", help="serve the requests of all namespaces (default)")
    parser.add_argument("--probe-address", default="0.0.0.0", help="address of the probes (default %(default)s)")  # noqa: S104 - the kubelet asks from outside the pod
    parser.add_argument("--probe-port", type=int, default=8080, help="port of the probes (default %(default)s)")
    parser.add_argument("--metrics-port", type=int, help="port of the metrics (default: that of the probes)")
    parser.add_argument("--estimators", type=int, default=1, help="processes that plan (default %(default)s)")
    parser.add_argument("--lease", metavar="NS/NAME", type=_lease, help="the Lease that decides which replica works")
    parser.add_argument(
        "--writes-per-second", type=_positive, default=WRITES_PER_SECOND, help="at most so many (default %(default)g)"
    )
    parser.add_argument("--mode", default="auto", choices=get_args(Mode), help="whose requests they are (%(default)s)")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", default="json", choices=get_args(LogFormat), help="default %(default)s")
    given = parser.parse_args(arguments)
    return Options(
        namespace=given.namespace,
        probe_address=given.probe_address,
        probe_port=given.probe_port,
        slots=max(1, given.estimators),
        log_level=given.log_level,
        log_format=given.log_format,
        metrics_port=given.metrics_port,
        lease=given.lease,
        writes=given.writes_per_second,
        mode=given.mode,
    )


def _lease(text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"must look like namespace/name, not {text!r}")
    return namespace, name


def _positive(text: str) -> float:
    if not text.replace(".", "", 1).isdigit() or not float(text) > 0:
        raise argparse.ArgumentTypeError(f"must be a positive number, not {text!r}")
    return float(text)
