"""What predicting takes can be measured; the figures are no matter of tests."""

import pytest

from benchmarks import predict
from benchmarks.clips import Amount, one_face
from fer_lightning.use.detector import YuNet
from fer_lightning.use.faces import Frame


@pytest.mark.parametrize("name", predict.TABLES)
def test_each_table_is_measured(name: str) -> None:
    rows = predict.TABLES[name](Amount(repeats=2, starts=1, clip_frames=20, long_frames=120, early_frames=50, faces=20))
    assert rows
    assert all(set(row) == set(rows[0]) for row in rows)
    assert all(any(character.isdigit() for character in value) for row in rows for value in list(row.values())[1:])


def test_the_pictures_face_is_the_one_that_is_found() -> None:
    frame = Frame("a", 0, None, one_face())
    assert len(YuNet(threads=1)(frame)) == 1
