"""Chaos between a client and an API server: delays, refusals, cuts, frozen and doctored watches.

It stands in front of the fake server and of a real one alike, and knows only HTTP.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web

from tests.fakes.asked import Asked, Fault, FaultHook, Refusal, parse
from tests.fakes.listening import Door

HOP = frozenset({"connection", "content-length", "content-encoding", "host", "keep-alive", "transfer-encoding"})
"""Headers that belong to one connection and are not passed on."""

Edit = Callable[[Asked, bytes], Iterable[bytes]]
"""What becomes of one line of a watch: nothing, itself, or others. Raise ConnectionResetError to cut it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One request that came by, and the code it was answered with: 0 while it is on its way or if it got no answer."""

    asked: Asked
    code: int


class Proxy:
    """Passes everything on to *upstream*, except what *fault* and *edit* say. May be changed from any thread."""

    def __init__(self, upstream: str, authority: str = "") -> None:
        self.fault: FaultHook = lambda _: None
        self.edit: Edit | None = None
        self.frozen = threading.Event()
        self.gone = threading.Event()
        self.log: list[Passed] = []
        self.url = ""
        self._upstream = upstream
        self._trust = ssl.create_default_context(cadata=authority) if authority else True
        self._streams: dict[int, web.Request] = {}
        self._loop: asyncio.AbstractEventLoop
        self._door = Door()
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Listens on a free port of the loopback."""
        self._loop = asyncio.get_running_loop()
        self._session = ClientSession(
            connector=TCPConnector(limit=0, ssl=self._trust), timeout=ClientTimeout(total=None), auto_decompress=False
        )
        self.url = await self._door.open(self._answer)

    async def stop(self) -> None:
        """Closes everything."""
        self.calm()
        if self._session:
            await self._session.close()
        await self._door.close()

    def calm(self) -> None:
        """No chaos from now on."""
        self.fault, self.edit = lambda _: None, None
        self.frozen.clear()
        self.gone.clear()

    @property
    def writes(self) -> list[Asked]:
        """The changes that were asked for and not refused."""
        return [passed.asked for passed in tuple(self.log) if passed.asked.writes and passed.code in (200, 201)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = parse(request.method, request.path, request.query) or Asked(verb="discover", resource="")
        if self.gone.is_set():
            return _cut(request)
        await self._thaw()
        fault = self.fault(asked) or Fault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.cut and not fault.after:
            return _cut(request)
        if fault.status and not fault.event:
            self.log.append(Passed(asked=asked, code=fault.status))
            refusal = Refusal(fault.status, "Fault", fault.message)
            return web.json_response(refusal.status(), status=fault.status, headers=fault.headers)
        try:
            return await self._passed(request, asked, fault)
        except (ClientError, ConnectionError):
            return _cut(request)

    async def _passed(self, request: web.Request, asked: Asked, fault: Fault) -> web.StreamResponse:
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        sent = await request.read()
        async with self._session.request(
            request.method, self._upstream + request.raw_path, data=sent or None, headers=headers
        ) as answer:
            await self._thaw()
            self.log.append(Passed(asked=asked, code=answer.status))
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            if asked.verb == "watch" and answer.status == 200:
                return await self._streamed(request, asked, fault, answer)
            text = await answer.read()
            encoding = answer.headers.get("Content-Encoding")
            kept |= {"Content-Encoding": encoding} if encoding else {}
            if fault.cut:
                return _cut(request)
            return web.Response(status=answer.status, body=text, headers=kept)

    async def _streamed(
        self, request: web.Request, asked: Asked, fault: Fault, answer: ClientResponse
    ) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(request)
        if fault.event:
            refusal = Refusal(fault.status, "Fault", fault.message)
            await stream.write(json.dumps({"type": "ERROR", "object": refusal.status()}).encode() + b"\n")
            return stream
        self._streams[id(request)] = request
        try:
            async for line in _lines(answer):
                await self._thaw()
                for doctored in self.edit(asked, line) if self.edit else (line,):
                    await stream.write(doctored)
        except (ClientError, ConnectionError):
            return _cut(request)
        finally:
            del self._streams[id(request)]
        return stream

    def cut(self) -> None:
        """Ends all watches in mid-air."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def vanish(self) -> None:
        """Nobody answers here any more, until `calm`."""
        self.gone.set()
        self.cut()

    def _cut_all(self) -> None:
        for request in tuple(self._streams.values()):
            _cut(request)

    async def _thaw(self) -> None:
        while self.frozen.is_set():  # noqa: ASYNC110 - it is set from other threads
            await asyncio.sleep(0.02)


async def _lines(answer: ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a watch, however long."""
    rest = b""
    async for piece in answer.content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"


def _cut(request: web.BaseRequest) -> web.Response:
    """Closes the connection without a word."""
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)
