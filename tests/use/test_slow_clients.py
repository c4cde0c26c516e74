"""A client that sends or reads a byte at a time, or nothing, holds no connection of a server for ever."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from fer_lightning.use.slow_clients import MOST_CONNECTIONS
from tests.use.brightness_network import write_network
from tests.use.photograph import HOPPER
from tests.use.serving import Served, served

SECONDS = 2
MOST_S = 4 * SECONDS + 3
"""Within which the server must have ended a connection: it may be busy with other tests of this machine."""

START = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
MASKED_PING = b"\x89\x80\0\0\0\0"
UPGRADE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    model = write_network(tmp_path_factory.mktemp("network") / "model.onnx")
    with served(model, "--max-seconds", str(SECONDS), "--max-streams", "1") as running:
        yield running
        assert running.predict(HOPPER.read_bytes()).status_code == 200


def answer_to(port: int, at_once: bytes, bit_by_bit: bytes) -> tuple[bytes, float]:
    """Sends a beginning, then a byte each 0.1 s until the connection ends; returns what came, and after how long."""
    came, began = b"", time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(at_once)
        connection.settimeout(0.1)
        for byte in bit_by_bit:
            try:
                while piece := connection.recv(10_000):
                    came += piece
                break
            except TimeoutError:
                pass
            except ConnectionError:
                break
            try:
                connection.sendall(bytes([byte]))
            except ConnectionError:
                break
        else:
            pytest.fail(f"the connection is open after {time.monotonic() - began:.0f} s; came: {came!r}")
    return came, time.monotonic() - began


@pytest.mark.parametrize(
    ("at_once", "bit_by_bit", "status"),
    [
        (b"", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 400, b"408"),  # the header
        (START + b"Content-Length: 9000\r\n\r\n", b"x" * 400, b"408"),  # the body
        (START + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 60, b"408"),
        (START + b"Content-Length: 90000000\r\n\r\n", b"x" * 400, b"413"),  # what is refused before it is there
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n", b"x" * 400, b"200"),
    ],
    ids=["header", "body", "chunks", "too large", "body of a GET"],
)
def test_a_byte_at_a_time_is_ended(server: Served, at_once: bytes, bit_by_bit: bytes, status: bytes) -> None:
    came, seconds = answer_to(server.port, at_once, bit_by_bit)
    assert came.startswith(b"HTTP/1.1 " + status)
    assert seconds < MOST_S
    if status == b"408":
        assert b"connection: close" in came.lower()
        assert "did not arrive within 2 seconds" in json.loads(came.partition(b"\r\n\r\n")[2])["error"]


def test_a_connection_that_asks_for_nothing_is_ended(server: Served) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=MOST_S) as connection,
        contextlib.suppress(ConnectionResetError),
    ):
        assert connection.recv(100) == b""


def test_answers_that_nobody_reads_are_ended(server: Served) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(MOST_S)
        asked = b"GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000
        with contextlib.suppress(ConnectionError):
            while True:  # until then, the server takes what it can
                connection.sendall(asked)


@pytest.mark.parametrize("frames", [b"", MASKED_PING * 200_000], ids=["no pong", "unread pongs"])
def test_a_stream_whose_client_is_gone_is_ended(server: Served, frames: bytes) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(0.5)
        connection.sendall(UPGRADE)
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.sendall(frames)
        until = time.monotonic() + MOST_S
        while True:  # the only place is free again
            with connect(f"ws://127.0.0.1:{server.port}/stream", proxy=None) as stream:
                try:
                    stream.send(HOPPER.read_bytes())
                    assert len(json.loads(stream.recv(20))["faces"]) == 1
                    break
                except Exception:
                    assert time.monotonic() < until
            time.sleep(0.2)


@pytest.mark.skipif(os.name == "nt", reason="opens more than it may there")
def test_one_connection_too_many_is_refused(tmp_path: Path) -> None:
    opened = []
    with served(write_network(tmp_path / "model.onnx"), "--max-seconds", "60") as server:  # none is idle for so long
        try:
            for _ in range(MOST_CONNECTIONS):
                opened.append(socket.create_connection(("127.0.0.1", server.port)))
            with socket.create_connection(("127.0.0.1", server.port), timeout=MOST_S) as one_more:
                assert one_more.recv(10_000).startswith(b"HTTP/1.1 503 ")
        finally:
            for connection in opened:
                connection.close()
