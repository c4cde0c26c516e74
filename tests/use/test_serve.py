"""A server answers pictures as predict.py does, takes on no more than it can, and lets in only who may."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from fer_lightning.use.serve import listening_socket
from tests.scripts import REPOSITORY
from tests.use.brightness_network import write_network
from tests.use.photograph import HOPPER, group, hopper
from tests.use.serving import Served, encoded, predicted, served


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "model.onnx", unsure_below=0.5)


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[Served]:
    with served(model) as running:
        yield running


@pytest.fixture(scope="module")
def small_server(model: Path) -> Iterator[Served]:
    """One with a token that takes on little."""
    limits = ("--max-megabytes", "1", "--max-requests", "1", "--max-streams", "1", "--max-seconds", "2")
    with served(model, "--token", "only-for-us", *limits) as running:
        yield running


KNOWN = {"Authorization": "Bearer only-for-us"}


def test_an_answer_is_the_line_of_predict(server: Served, model: Path) -> None:
    expected = predicted(HOPPER, model) | {"source": "upload"}
    content = HOPPER.read_bytes()
    bare = server.predict(content)
    assert bare.status_code == 200
    assert bare.json() == expected
    form = httpx.post(f"{server.address}predict", files={"file": ("../../etc/passwd", content)}, data={"a": "b"})
    assert form.json() == expected
    assert server.predict(encoded(Image.new("RGB", (90, 70)))).json()["note"] == "no face"


def test_a_stream_follows_faces_and_smooths(server: Served) -> None:
    answers = []
    with connect(server.stream, proxy=None) as stream:
        for place in (100, 110, 120):
            stream.send(encoded(group([(place, 60, 250)]), "JPEG"))
            answers.append(json.loads(stream.recv(30)))
        stream.send(b"no picture")
        assert "neither an image" in json.loads(stream.recv(30))["error"]
        stream.send(encoded(group([(130, 60, 250)]), "JPEG"))
        answers.append(json.loads(stream.recv(30)))
    assert [answer["frame"] for answer in answers] == [0, 1, 2, 4]
    assert [[face["track"] for face in answer["faces"]] for answer in answers] == [[1]] * 4
    times = [answer["time_s"] for answer in answers]
    assert times == sorted(times)
    face = answers[-1]["faces"][0]
    assert sum(face["smoothed"].values()) == pytest.approx(1, abs=1e-4)
    assert face["confidence"] == face["smoothed"][face["best"]]


def test_many_at_once_get_each_their_own_answer(server: Served) -> None:
    sizes = [(80 + 3 * number, 60 + number) for number in range(40)]
    pictures = [encoded(Image.new("RGB", size)) for size in sizes]
    with ThreadPoolExecutor(20) as pool:
        answers = [response.json() for response in pool.map(server.predict, pictures)]
    assert [(answer["width"], answer["height"]) for answer in answers] == sizes


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"", {}, 400, "there is no picture"),
        (b"hello", {}, 415, "it is no picture"),
        (encoded(hopper(), "JPEG")[:3000], {}, 422, "the image cannot be read"),
        (b"x", {"content-type": "multipart/form-data"}, 400, "the form cannot be read"),
        (b"--b\r\n\r\nx\r\n--b--", {"content-type": "multipart/form-data; boundary=b"}, 400, "the form cannot be read"),
        (encoded(Image.new("1", (6000, 5001))), {}, 422, "more than 30,000,000 pixels"),
    ],
)
def test_what_is_no_picture_is_refused(
    server: Served, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    response = server.predict(content, headers=headers)
    assert response.status_code == status
    assert reason in response.json()["error"]


def test_a_form_without_a_file_or_with_two_is_refused(server: Served) -> None:
    none = httpx.post(f"{server.address}predict", data={"path": str(HOPPER)}, files={})
    assert none.status_code == 415  # a body like any other
    field = {"content-type": "multipart/form-data; boundary=b"}
    body = b'--b\r\nContent-Disposition: form-data; name="url"\r\n\r\nfile:///etc/passwd\r\n--b--\r\n'
    assert server.predict(body, headers=field).status_code == 400
    two = [("file", ("a.jpg", HOPPER.read_bytes())), ("file", ("b.jpg", HOPPER.read_bytes()))]
    assert httpx.post(f"{server.address}predict", files=two).status_code == 400


def test_a_body_that_is_too_large_is_refused(small_server: Served) -> None:
    declared = small_server.predict(b"x" * 1_000_001, headers=KNOWN)
    pieces = iter([b"x" * 600_000] * 2)
    undeclared = httpx.post(f"{small_server.address}predict", content=pieces, headers=KNOWN)
    for response in (declared, undeclared):
        assert response.status_code == 413
        assert "larger than 1,000,000 bytes" in response.json()["error"]
    with connect(small_server.stream, additional_headers=KNOWN, proxy=None) as stream:
        stream.send(b"x" * 1_000_001)
        with pytest.raises(ConnectionClosed, match="1009"):
            stream.recv(30)


def slow_request(port: int, content: bytes, held_back: int, headers: str = "") -> socket.socket:
    """Returns a connection with a request whose last bytes have not been sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    connection.sendall(head.encode() + content[: len(content) - held_back])
    return connection


def test_one_too_many_is_told_when_to_come_again(small_server: Served) -> None:
    slow = slow_request(small_server.port, HOPPER.read_bytes(), 10, "Authorization: Bearer only-for-us\r\n")
    with slow:
        time.sleep(0.2)
        response = small_server.predict(HOPPER.read_bytes(), headers=KNOWN)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        began = time.monotonic()
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")  # after --max-seconds
        assert time.monotonic() - began < 10
    assert small_server.predict(HOPPER.read_bytes(), headers=KNOWN).status_code == 200
    with (
        connect(small_server.stream, additional_headers=KNOWN, proxy=None),
        connect(small_server.stream, additional_headers=KNOWN, proxy=None) as second,
        pytest.raises(ConnectionClosed, match="1 streams are open already"),
    ):
        second.recv(30)


def test_without_the_token_nothing_is_answered(small_server: Served) -> None:
    assert small_server.fragment == "token=only-for-us"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic only-for-us"}):
        assert small_server.predict(HOPPER.read_bytes(), headers=headers).status_code == 401
        assert small_server.get("card", headers=headers).status_code == 401
    assert small_server.get("").status_code == small_server.get("health").status_code == 200
    assert small_server.get("card", headers=KNOWN).json()["name"] == "brightness"
    for protocols in (None, [Subprotocol("fer"), Subprotocol("token.wrong")]):
        with (
            pytest.raises(InvalidStatus, match="403"),
            connect(small_server.stream, subprotocols=protocols, proxy=None),
        ):
            pass
    right = [Subprotocol("fer"), Subprotocol("token.only-for-us")]
    with connect(small_server.stream, subprotocols=right, proxy=None) as stream:
        assert stream.subprotocol == "fer"


def test_a_page_of_another_site_cannot_use_the_server(server: Served) -> None:
    here = f"http://127.0.0.1:{server.port}"
    for origin in (
        "http://evil.example",
        "null",
        "http://127.0.0.1:3000",
        f"http://localhost:{server.port}",
        "http://[",
    ):
        assert server.predict(HOPPER.read_bytes(), headers={"Origin": origin}).status_code == 403
        with pytest.raises(InvalidStatus, match="403"), connect(server.stream, origin=Origin(origin), proxy=None):
            pass
    assert server.predict(HOPPER.read_bytes(), headers={"Origin": here}).status_code == 200
    with connect(server.stream, origin=Origin(here), proxy=None):
        pass


def test_a_name_that_leads_here_from_elsewhere_is_refused(server: Served, model: Path) -> None:
    for name in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "[", ""):
        response = server.get("card", headers={"Host": name})
        assert response.status_code in (400, 403), name
    for name in ("localhost", f"LOCALHOST:{server.port}", "[::1]:80"):
        assert server.get("card", headers={"Host": name}).status_code == 200
    with served(model, "--allow-host", "Faces.Example") as other:
        assert other.get("card", headers={"Host": "faces.example"}).status_code == 200
        assert other.get("card", headers={"Host": "evil.example"}).status_code == 403


def test_paths_lead_to_nothing_but_the_page(server: Served) -> None:
    for path in ("../serve.py", "..%2fserve.py", "page_files/page.js", "browser/worker.js", "etc/passwd", "predict"):
        assert server.get(path).status_code in (404, 405)
    assert server.get("predict").json() == {"error": "GET is not allowed here"}
    assert server.get("none").json() == {"error": "there is no such address"}
    page = server.get("")
    assert page.headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert server.get("page.js").headers["content-type"].startswith("text/javascript")


def test_card_and_health_say_what_runs(server: Served) -> None:
    card = server.get("card").json()
    assert (card["name"], card["unsure_below"], card["size"]) == ("brightness", 0.5, 24)
    assert server.get("health").json()["status"] == "ok"


def test_a_frame_that_is_no_bytes_ends_the_stream(server: Served) -> None:
    with connect(server.stream, proxy=None) as stream:
        stream.send("hello")
        with pytest.raises(ConnectionClosed, match="1003"):
            stream.recv(30)


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_on_its_way_is_answered_at_the_end(model: Path, number: signal.Signals) -> None:
    content = encoded(hopper())
    with served(model) as server:
        with connect(server.stream, proxy=None), slow_request(server.port, content, 10) as slow:
            time.sleep(0.3)
            server.process.send_signal(number)
            time.sleep(0.5)
            with pytest.raises(httpx.ConnectError):
                server.get("health")
            slow.sendall(content[-10:])
            answer = b"".join(iter(lambda: slow.recv(10_000), b""))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'"source": "upload"' in answer


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listening_socket("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def refused(*options: str) -> str:
    """Returns the message with which a command ends."""
    command = [sys.executable, "-m", "fer_lightning.use.serve", *options]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_wrong_command_is_one_message(server: Served, model: Path) -> None:
    network = ("--model", str(model))
    assert f"cannot listen at 127.0.0.1, port {server.port}" in refused("--port", str(server.port), *network)
    assert "--host is empty" in refused("--host", "", *network)
    assert "give --token too" in refused("--host", "0.0.0.0", *network)
    assert "neither a network of the package nor a file" in refused("--model", "none.onnx")
    assert "a token is 8 to 200 letters" in refused("--token", "a b", *network)


def test_a_token_is_made_for_other_machines(model: Path) -> None:
    with served(model, "--host", "0.0.0.0", "--token") as one, served(model, "--token") as other:
        assert len(one.fragment) > 30
        assert one.fragment != other.fragment
        address = f"http://127.0.0.1:{one.port}/card"
        token = one.fragment.removeprefix("token=")
        assert httpx.get(address).status_code == 401
        assert httpx.get(address, headers={"Host": "any", "Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_server_whose_output_is_closed_serves(model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = f"exec {sys.executable} -m fer_lightning.use.serve --port {port} --model '{model}' >&- 2>&-"
    with subprocess.Popen(command, shell=True, cwd=REPOSITORY) as process:
        until = time.monotonic() + 30
        while True:
            try:
                assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
                break
            except httpx.ConnectError:
                assert time.monotonic() < until
                time.sleep(0.1)
        process.terminate()
        assert process.wait(30) == 0
