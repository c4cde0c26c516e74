"""The HTTP side of `python -m fer_lightning.use.serve`: what is asked, what is answered, and what is refused.

Of what a client sends, only the pixels are looked at: no path, address or name of a file in it is ever opened, and
nothing is kept or written, not even to a temporary file.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, ExceptionHandler
from starlette.websockets import WebSocket, WebSocketDisconnect

from fer_lightning.installation import package_version
from fer_lightning.use.access import SUBPROTOCOL, Access
from fer_lightning.use.batched_line import BatchedLine
from fer_lightning.use.endable_runs import RunEndedError
from fer_lightning.use.faces import Answer, Unreadable
from fer_lightning.use.page import COMMON_POLICY, MEDIA_TYPES, POLICIES, page_files
from fer_lightning.use.tables import answer_values
from fer_lightning.use.tracks import tracked
from fer_lightning.use.uploads import RefusedError, picture_in

UPLOAD, STREAM = "upload", "stream"
"""What answers have as their source: names of files stay with those who have them."""

RETRY_AFTER_S = 1

TRY_AGAIN_LATER = 1013
"""The code with which a WebSocket is closed that is one too many."""

IDLE_S = 300
"""Seconds without a frame after which a stream is closed."""

HEADERS = {
    "Content-Security-Policy": f"{COMMON_POLICY}; {POLICIES['server']}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self)",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Limits:
    """What one server takes on.

    Args:
        body: bytes of a picture's file.
        requests: that are being answered at a time; further ones get a 503.
        streams: open WebSockets; each has one frame on its way at most.
        seconds: that one picture may take, from its first byte to its answer.
    """

    body: int = 20_000_000
    requests: int = 64
    streams: int = 16
    seconds: float = 30


class Server:
    """The application: `Server(line).app(...)` is what uvicorn runs.

    Args:
        line: answers pictures; closed when the application ends.
        limits: what it takes on.
    """

    def __init__(self, line: BatchedLine, limits: Limits) -> None:
        self._line, self._limits = line, limits
        self._requests = self._streams = 0

    def app(self, hosts: Collection[str] | None, token: str | None) -> ASGIApp:
        """Returns the ASGI application; hosts and token are those of `Access`."""
        files = page_files("server")
        routes: list[BaseRoute] = [
            Route("/predict", self._predict, methods=["POST"]),
            Route("/health", self._health),
            Route("/card", self._card),
            WebSocketRoute("/stream", self._stream),
        ]
        responses = {f"/{path}": _file_response(path, content) for path, content in files.items()}
        responses["/"] = responses.pop("/index.html")
        routes += [Route(path, response) for path, response in responses.items()]
        handlers: Mapping[Any, ExceptionHandler] = {HTTPException: _route_error}
        return Access(
            Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=handlers),
            hosts,
            token,
            {*responses, "/health"},
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(self._line.close, self._limits.seconds)

    async def _predict(self, request: Request) -> Response:
        if self._requests >= self._limits.requests:
            return _busy(f"{self._requests} requests are being answered already")
        self._requests += 1
        content = None
        try:
            async with asyncio.timeout(self._limits.seconds):
                content = await picture_in(request, self._limits.body)
                answer = await asyncio.wrap_future(self._line.submit(content, UPLOAD))
        except RefusedError as refused:
            return _error(refused.status, str(refused))
        except TimeoutError:
            if content is None:
                # The connection is closed too, since the rest of the picture could take any time.
                late = f"the picture did not arrive within {self._limits.seconds:g} seconds"
                return _json({"error": late}, 408, {"Connection": "close"})
            self._line.end_run_over(self._limits.seconds)
            return _busy(f"there was no answer within {self._limits.seconds:g} seconds")
        except RunEndedError as ended:
            return _busy(str(ended))
        except ClientDisconnect:
            return Response(status_code=400)  # that nobody reads
        finally:
            self._requests -= 1
        if isinstance(answer.frame, Unreadable):
            return _error(422, answer.frame.reason)
        return _json(answer_values(answer))

    async def _stream(self, socket: WebSocket) -> None:
        if self._streams >= self._limits.streams:
            await socket.accept()  # before it, there is no code that a page could read
            await socket.close(TRY_AGAIN_LATER, f"{self._streams} streams are open already")
            return
        self._streams += 1
        try:
            await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
            await self._answer_frames(socket)
        except WebSocketDisconnect:  # perhaps while its answer was on the way
            pass
        except TimeoutError:
            await socket.close(1000, f"no frame came for {IDLE_S} seconds")
        finally:
            self._streams -= 1

    async def _answer_frames(self, socket: WebSocket) -> None:
        """Answers frame by frame: the next one is read when the one before has its answer."""
        arrived: deque[Answer] = deque()
        followed = tracked(_taken(arrived), unsure_below=self._line.unsure_below)
        started = time.monotonic()
        index = 0
        while True:
            async with asyncio.timeout(IDLE_S):
                message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            content = message.get("bytes")
            if content is None:
                await socket.close(1003, "a frame is the content of an image file, as one binary message")
                return
            job = self._line.submit(content, STREAM, index, time.monotonic() - started)
            index += 1
            try:
                async with asyncio.timeout(self._limits.seconds):
                    answer = await asyncio.wrap_future(job)
            except (TimeoutError, RunEndedError) as error:
                self._line.end_run_over(self._limits.seconds)
                reason = str(error) or f"no answer within {self._limits.seconds:g} seconds"
                await socket.send_text(json.dumps({"error": reason}))
                continue
            if isinstance(answer.frame, Unreadable):
                await socket.send_text(json.dumps({"error": answer.frame.reason}))
                continue
            arrived.append(answer)
            await socket.send_text(_text(answer_values(next(followed))))

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok", "version": package_version()})

    async def _card(self, request: Request) -> Response:
        card = asdict(self._line.network.card)
        return _json(card | {"unsure_below": self._line.unsure_below, "most_bytes": self._limits.body})


def _taken(arrived: deque[Answer]) -> Iterator[Answer]:
    while True:
        yield arrived.popleft()


def _file_response(path: str, content: bytes) -> Any:
    media_type = MEDIA_TYPES[PurePosixPath(path).suffix]

    async def respond(request: Request) -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)

    return respond


def _text(values: object) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def _json(values: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    sent = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(_text(values), status, sent, "application/json")


def _route_error(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, HTTPException)
    reason = "there is no such address" if refusal.status_code == 404 else f"{request.method} is not allowed here"
    return _json({"error": reason}, refusal.status_code, refusal.headers)


def _error(status: int, reason: str) -> Response:
    return _json({"error": reason}, status)


def _busy(reason: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return JSONResponse({"error": f"the server is busy: {reason}. Try again"}, 503, headers)
