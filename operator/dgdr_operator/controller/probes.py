"""/healthz, /readyz, /startupz and /metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dgdr_operator.controller import metrics

Check = Callable[[], str | None]
"""What is wrong, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """alive: a restart would help if not; ready: whether this replica can take its part; started: was it ever ready."""

    alive: Check
    ready: Check
    started: Check


async def serve(address: str, port: int, metrics_port: int | None, checks: Checks) -> list[web.AppRunner]:
    """Answers from now on; `cleanup()` of the results ends it. Raises OSError if a port is taken.

    The metrics have a port of their own unless *metrics_port* is None, so that a network policy can tell them apart.
    """
    asked = web.Application()
    asked.router.add_get("/healthz", _answering(checks.alive))
    asked.router.add_get("/readyz", _answering(checks.ready))
    asked.router.add_get("/startupz", _answering(checks.started))
    counted = asked if metrics_port is None else web.Application()
    counted.router.add_get("/metrics", _metrics)
    runners = [await _listening(asked, address, port)]
    if metrics_port is not None:
        runners.append(await _listening(counted, address, metrics_port))
    return runners


async def _listening(application: web.Application, address: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address, port).start()
    return runner


def _answering(check: Check) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        wrong = check()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return answer


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
