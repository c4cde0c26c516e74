"""Limits how long a client may take: one that sends or reads a byte a second does not hold a connection for ever.

uvicorn limits the time between two requests (timeout_keep_alive), which starts again with each byte that comes, and
asks whether a WebSocket's client still lives; whom it closes a connection to must still read what was sent before.
These are its own two protocols, with limits on top.
"""

import asyncio
import json
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST_CONNECTIONS = 200
"""Open at a time, also those that have not asked for anything yet: systems give a process 256 files or more."""

CLOSING_S = 1.0
"""Seconds beyond those in which a connection should have closed by itself."""


class _ReadInTime:
    """Ends the connection of a client that does not read for `seconds`; goes before one of uvicorn's protocols."""

    seconds: ClassVar[float]
    _stalled: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        protocol: Any = self
        self._stalled = protocol.loop.call_later(self.seconds, protocol.transport.abort)
        super().pause_writing()  # type: ignore[misc]

    def resume_writing(self) -> None:
        self._heed_no_more()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self._heed_no_more()
        super().connection_lost(exc)  # type: ignore[misc]

    def _heed_no_more(self) -> None:
        if self._stalled:
            self._stalled.cancel()


class PatientHttp(_ReadInTime, H11Protocol):
    """Gives a request `seconds` to arrive, and its answer as many to be made, and as many to be read.

    Attributes:
        seconds: set by `patient_protocols`.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._allow(self.seconds)
        if len(self.connections) > MOST_CONNECTIONS:
            self._answer(503, "the server is busy: too many connections are open. Try again", ("retry-after", "1"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:  # a request has come, whose picture has `seconds` to arrive and be answered
            self._allow(2 * self.seconds + CLOSING_S)

    def on_response_complete(self) -> None:
        self._allow(self.seconds)  # for what is left of the request, and all of the next one
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().handle_websocket_upgrade(event)

    def _allow(self, seconds: float) -> None:
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        has_begun, _ = self.conn.trailing_data
        if has_begun and self.conn.our_state is h11.IDLE and not self.transport.is_closing():
            self._answer(408, f"the request did not arrive within {self.seconds:g} seconds")
        else:
            self.transport.abort()  # without waiting until all of what was sent has been read

    def _answer(self, status: int, reason: str, *more: tuple[str, str]) -> None:
        """Answers what is no request yet, and closes the connection."""
        body = json.dumps({"error": reason}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=status, headers=[*headers, *more]), h11.Data(body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self.loop.call_later(CLOSING_S, self.transport.abort)


class PatientWebSocket(_ReadInTime, WebSocketsSansIOProtocol):
    """Ends the connection of a client that does not read, or answer a ping, for `seconds`.

    Attributes:
        seconds: set by `patient_protocols`.
    """

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.loop.call_later(CLOSING_S, self.transport.abort)

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.close":
            self.loop.call_later(self.close_timeout + CLOSING_S, self.transport.abort)


def patient_protocols(limit: float) -> tuple[type[PatientHttp], type[PatientWebSocket]]:
    """Returns what uvicorn takes as `http` and `ws`, with this limit in seconds."""

    class LimitedHttp(PatientHttp):
        seconds = limit

    class LimitedWebSocket(PatientWebSocket):
        seconds = limit

    return LimitedHttp, LimitedWebSocket
