"""An HTTP server on the loopback that hands everything it hears to one handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """Opens and closes it; *largest*: bytes that a body may have."""

    def __init__(self, largest: int = 2**24) -> None:
        self._largest = largest
        self._runner: web.AppRunner | None = None

    async def open(self, answer: Answer, *, path: str = "/{path:.*}", port: int = 0) -> str:
        """Listens, on a free port unless one is given; answers with the URL."""
        application = web.Application(client_max_size=self._largest)
        application.router.add_route("*", path, answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Listens no more."""
        if self._runner:
            await self._runner.cleanup()
