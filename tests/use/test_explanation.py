"""--explain shows where the evidence lies, of the network of a run."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fer_lightning.use.command import main
from tests.use.sound_videos import walking

PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def test_faces_have_maps_on_the_page_and_in_a_folder(
    short_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    walking(tmp_path / "clip.mp4", PHOTOGRAPH, 20, 10, (400, 300))
    assert (
        main([str(PHOTOGRAPH), "clip.mp4", "--run", str(short_run), "--explain", "--device", "cpu", "--out", "found"])
        == 0
    )
    shown = capsys.readouterr()
    assert "grace_hopper.jpg      1" in shown.out
    assert "explained" in shown.err
    files = {file.name: np.asarray(Image.open(file)) for file in (tmp_path / "found" / "explained").iterdir()}
    assert files.keys() == {"grace_hopper-face1.png", "clip-track1.png"}
    for pixels in files.values():
        face, mapped = np.split(pixels, 2, axis=1)
        assert face.shape == (240, 240, 3)
        assert (face[..., 0] == face[..., 2]).all()  # grey, as the network sees it
        assert mapped[..., 0].max() > mapped[..., 2].max()  # light is yellow
        assert len(np.unique(mapped)) > 50
    page = (tmp_path / "found" / "index.html").read_text()
    assert "What the network looks at" in page
    assert 'href="explained/clip-track1.png"' in page
