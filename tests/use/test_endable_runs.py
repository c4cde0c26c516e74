"""A network that never answers is ended: by a signal, by a second one at once, and by a server's limit of time."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fer_lightning.use.detector import yunet_model
from fer_lightning.use.endable_runs import GRACE_S, RunEndedError, end_runs
from fer_lightning.use.onnx_network import OnnxNetwork
from fer_lightning.use.onnx_session import onnx_session
from tests.scripts import REPOSITORY
from tests.use.brightness_network import write_endless_network
from tests.use.photograph import HOPPER
from tests.use.serving import served


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_endless_network(tmp_path_factory.mktemp("endless") / "endless.onnx")


def test_a_run_is_ended_from_another_thread(endless: Path) -> None:
    network = OnnxNetwork(endless, threads=1)
    threading.Timer(0.3, end_runs).start()
    began = time.monotonic()
    with pytest.raises(RunEndedError):
        network.probabilities(np.zeros((2, 1, 24, 24), np.uint8))
    assert time.monotonic() - began < 20


def test_threads_sleep_while_nothing_is_computed() -> None:
    session = onnx_session(yunet_model(), 2)
    options = session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 2


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize(("number", "times"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_a_signal_ends_a_network_that_never_answers(
    endless: Path, tmp_path: Path, number: signal.Signals, times: int
) -> None:
    command = [sys.executable, str(REPOSITORY / "predict.py"), str(HOPPER), "--model", str(endless), "--out", "found"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not (tmp_path / "found" / "faces.jsonl").exists():
                assert process.poll() is None
                time.sleep(0.02)
            time.sleep(3)  # until the network runs
            for _ in range(times):
                process.send_signal(number)
                time.sleep(0.2)
            began = time.monotonic()
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert (time.monotonic() - began > GRACE_S - 1) == (times == 1)
    if times == 1:  # what was found by then is written
        assert said.startswith("stopped: this is what was found by then")
        assert (tmp_path / "found" / "index.html").is_file()


def test_a_server_ends_a_network_that_never_answers(endless: Path) -> None:
    with served(endless, "--max-seconds", "1") as server:
        for _ in range(2):  # the second is answered since the first was ended
            response = server.predict(HOPPER.read_bytes())
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        black = (REPOSITORY / "docs" / "confusion.png").read_bytes()  # without a face, so without the network
        until = time.monotonic() + 20
        while server.predict(black).status_code != 200:
            assert time.monotonic() < until
