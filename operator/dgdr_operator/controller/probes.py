"""/healthz, /readyz and /metrics."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dgdr_operator.controller import metrics

Check = Callable[[], str | None]
"""What is wrong, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """alive: a restart would help if not; ready: whether this replica can take its part."""

    alive: Check
    ready: Check


async def serve(address: str, port: int, checks: Checks) -> web.AppRunner:
    """Answers from now on; `cleanup()` of the result ends it. Raises OSError if the port is taken."""
    application = web.Application()
    application.router.add_get("/healthz", _answering(checks.alive))
    application.router.add_get("/readyz", _answering(checks.ready))
    application.router.add_get("/metrics", _metrics)
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
