"""Whatever is sent, the answer is a face's or a 4xx with a reason, and the server lives on."""

import random
import socket
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect

from tests.fuzz import CASES, SEED, mutated
from tests.use.brightness_network import write_network
from tests.use.photograph import hopper
from tests.use.serving import Served, encoded, served

SMALL = hopper().resize((64, 75))
FORMS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
PICTURES = {form: encoded(SMALL, form) for form in FORMS}
FORM = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + PICTURES["JPEG"] + b"\r\n--b--\r\n"
REQUEST = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(write_network(tmp_path_factory.mktemp("network") / "model.onnx")) as running:
        yield running


def check(response: httpx.Response, what: str) -> int:
    told = f"{what}, seed {SEED}: {response.status_code} {response.text[:300]}"
    assert response.status_code == 200 or 400 <= response.status_code < 500, told
    values = response.json()
    assert ("faces" in values) if response.status_code == 200 else values["error"], told
    return response.status_code


def test_damaged_pictures_and_forms_are_answered(server: Served) -> None:
    statuses: Counter[int] = Counter()
    kinds = [*PICTURES.items(), ("form", FORM)]
    with httpx.Client(base_url=server.address, timeout=60) as client:
        for case in range(CASES):
            name, content = kinds[case % len(kinds)]
            headers = {"content-type": "multipart/form-data; boundary=b"} if name == "form" else {}
            response = client.post("predict", content=mutated(content, name, case), headers=headers)
            statuses[check(response, f"{name} {case}")] += 1
        assert client.get("health").json()["status"] == "ok"
    assert statuses[422] > CASES / 20
    assert statuses[200] > CASES / 20


def test_damaged_frames_do_not_end_a_stream(server: Served) -> None:
    with connect(server.stream, proxy=None) as stream:
        for case in range(CASES // 10):
            stream.send(mutated(PICTURES["JPEG"], "frame", case))
            assert '"faces"' in (answer := str(stream.recv(60))) or '"error"' in answer
        stream.send(PICTURES["JPEG"])
        assert '"faces"' in str(stream.recv(60))


def test_what_is_no_http_does_not_end_the_server(server: Served) -> None:
    rng = random.Random(SEED)
    for case in range(CASES // 10):
        content = mutated(REQUEST, "request", case) if case % 2 else rng.randbytes(rng.randint(1, 500))
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(10_000), b""))
        assert not answer.startswith(b"HTTP/1.1 5"), (case, content, answer)
    assert server.get("health").json()["status"] == "ok"
