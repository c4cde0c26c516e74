"""What cannot be meant is refused before any work."""

from pathlib import Path

import pytest

from tests.use.predicting import Predict, names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a picture, a video or a folder, or --webcam 0"),
        (["photo.jpg", "--webcam", "0"], "--webcam takes no paths"),
        (["photo.jpg", "--unsure", "1.5"], "1.5 is not between 0 and 1"),
        (["photo.jpg", "--min-score", "0"], "0 is not above 0"),
        (["photo.jpg", "--min-size", "-3"], "-3 is not a whole number"),
        (["photo.jpg", "--only", "table,sheet"], "'sheet' is none of table, pictures"),
        (
            ["photo.jpg", "--explain"],
            "--explain needs the network of a run: Grad-CAM needs a torch network. Give --run",
        ),
        (["photo.jpg", "--explain", "--network", "small"], "Grad-CAM needs a torch network. Give --run FOLDER"),
        (
            ["photo.jpg", "--explain", "--run", "n.onnx"],
            "--run: n.onnx is no run: it takes the folder of a run, or its",
        ),
        (["photo.jpg", "--run", "n.onnx"], "*.ckpt or *.safetensors; --model takes an exported file"),
        (["photo.jpg", "--run", "small"], "--run: small: there is no such folder or file of a run"),
        (["photo.jpg", "--model", "small"], "--model: small is no exported network: it takes an .onnx file"),
        (["photo.jpg", "--model", "."], "--model: . is no exported network"),
        (["photo.jpg", "--network", "n.onnx"], "--network: n.onnx is no network of the package"),
        (["photo.jpg", "--boxes", "b.csv", "--min-score", "0.5"], "are for the detector"),
        (["photo.jpg", "--boxes", "b.csv"], "there is no such file of boxes"),
        (["photo.jpg", "--out", "."], "it has something in it, and nothing is overwritten"),
        (["photo.jpg", "--out", "photo.jpg"], "it is a file, and nothing is overwritten"),
        (["."], "Say where they are to lie: --out FOLDER"),
        ([".", "--recursive"], "Say where they are to lie: --out FOLDER"),
        ([".", "--out", "found"], "--out found: it is in ., which is looked through, and nothing is written there"),
        (["*", "../", "--out", "a/b"], "--out a/b: it is in ../, which is looked through"),
        (["photo.jpg", "--network", "smal"], "--network: smal is no network of the package. Did you mean small?"),
        (["photo.jpg", "--outt", "x"], "--outt"),
    ],
)
def test_a_wrong_command_is_refused_before_any_work(
    folder: Path, predict: Predict, arguments: list[str], said: str
) -> None:
    done = predict(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert names(folder) == {"n.onnx", "photo.jpg"}


def test_boxes_of_a_misspelt_source_are_reported(folder: Path, predict: Predict) -> None:
    (folder / "b.csv").write_text("source,x,y,width,height\nphto.jpg,183,120,170,212\n")
    done = predict("photo.jpg", "--boxes", "b.csv", "--out", "one")
    assert done.returncode == 1
    assert "boxes of phto.jpg: no such source was read" in done.stderr
    assert "error: no source of b.csv was read" in done.stderr
    with (folder / "b.csv").open("a") as table:
        table.write("photo.jpg,183,120,170,212\n")
    done = predict("photo.jpg", "--boxes", "b.csv", "--out", "two")
    assert done.returncode == 0
    assert "boxes of phto.jpg: no such source was read" in done.stderr
    assert "error" not in done.stderr


def test_a_link_into_the_sources_is_no_way_around(folder: Path, predict: Predict) -> None:
    (folder / "photos").mkdir()
    (folder / "photo.jpg").rename(folder / "photos" / "photo.jpg")
    (folder / "elsewhere").symlink_to("photos", target_is_directory=True)
    (folder / "list.txt").write_text("photos\n")
    for arguments in (["photos"], ["phot*"], ["@list.txt"], ["photos/"]):
        done = predict(*arguments, "--out", "elsewhere/found")
        assert done.returncode == 2
        assert "which is looked through, and nothing is written there" in done.stderr
    assert names(folder / "photos") == {"photo.jpg"}
