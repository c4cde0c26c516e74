"""Nothing that reads or detects reaches for the network."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripts import REPOSITORY
from tests.use.made_videos import write_video
from tests.use.photograph import HOPPER, group

BLOCKED = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("a socket was opened")
socket.socket.__init__ = socket.create_connection = socket.getaddrinfo = refuse
sys.addaudithook(lambda event, _: refuse() if event.startswith("socket.") else None)
from fer_lightning.use.detector import YuNet
from fer_lightning.use.sources import frames
yunet = YuNet(threads=1)
print([len(yunet(frame)) for frame in frames(sys.argv[1:])])
"""


def test_no_socket_is_opened(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [group([(100, 100, 200)])] * 3)
    command = [sys.executable, "-c", BLOCKED, str(HOPPER), str(tmp_path / "clip.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert (done.stdout, done.stderr) == ("[1, 1, 1, 1]\n", "")


def test_a_list_in_a_video_is_not_followed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/clip.ts"
        for name, content in (
            ("list.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"),
            ("list.mp4", f"ffconcat version 1.0\nfile {address}\n"),
            ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
        ):
            (tmp_path / name).write_text(content)
        code = "import sys; from fer_lightning.use.sources import frames; print(len(list(frames(sys.argv[1:]))))"
        command = [sys.executable, "-c", code, *map(str, sorted(tmp_path.iterdir())), address]
        done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True)
        assert done.stdout == "4\n"
        try:
            server.accept()
        except TimeoutError:
            return
        raise AssertionError("a list in a file was followed")


def test_onnxruntime_keeps_no_record_for_its_maker(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    silencing = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in silencing}
    environment |= {"HOME": str(home), "TMPDIR": str(home)}
    code = "import sys; from fer_lightning import Predictor; print(len(Predictor(threads=1).faces(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(HOPPER)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert done.stdout == "1\n"
    assert list(home.rglob("*")) == []  # it would write who and what it is there first


def test_a_videos_name_is_no_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        name = f"http:127.0.0.1:{server.getsockname()[1]}"
        write_video(tmp_path / "clip.mp4", [group([(100, 100, 200)])] * 2)
        (tmp_path / "in").mkdir()
        (tmp_path / "clip.mp4").rename(tmp_path / "in" / name)
        command = [
            sys.executable,
            str(REPOSITORY / "predict.py"),
            ".",
            "--only",
            "videos",
            "--out",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(command, cwd=tmp_path / "in", capture_output=True, text=True, check=True, timeout=60)
        assert "could not be written" not in done.stderr
        with pytest.raises(TimeoutError):
            server.accept()
