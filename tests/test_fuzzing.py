"""Whatever is in a file, a reader gives its faces or says what is wrong: no other exception, no hang, no wrong row.

FUZZ_CASES=10000 make nightly (or FUZZ_SEED=…) tries more cases, or others, than CI does.
"""

import io
import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fer_lightning.data.readers.pixel_csv import parse_pixel_csv
from fer_lightning.errors import DataError
from fer_lightning.training.models import load_model
from tests.data.faces_files import USAGES
from tests.fuzz import CASES, SEED, Hang, no_hang
from tests.fuzzed_forms import FORMS, MODEL, archive, checkpoint_bytes
from tests.plain_reading import CSV, IMAGES, ROWS, assert_rows_of_csv, plainly_read, read, rows_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="hangs are told by SIGALRM")


EACH = -(-CASES // (len(FORMS) + 1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore")  # of Pillow, about what is then refused or read
def test_a_mutated_file_is_read_right_or_refused(form: str, tmp_path: Path) -> None:
    failures: list[str] = []
    for case in range(EACH):
        folder = tmp_path / str(case)
        folder.mkdir()
        what = f"{form}, case {case} of FUZZ_SEED={SEED}"
        try:
            with no_hang(what):
                FORMS[form](folder, case)
            shutil.rmtree(folder)
        except (Exception, Hang) as error:
            failures.append(f"{what}, left in {folder}: {type(error).__name__}: {str(error)[:300]}")
    assert not failures, f"{len(failures)} of {EACH} cases:\n" + "\n".join(failures[:20])


PIXELS = " ".join(["7"] * 2303)


NUMBERS = st.sampled_from(["0", "7", "255", "256", "-1", "007", "1.0", "", "9" * 20, "٣", "0x1", "7 7", "+1", "1_0"])


ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\r", " \n"])


BLANKS = st.sampled_from(["", "", "", " ", "\t"])


QUOTES = st.sampled_from(["{}", "{}", "{}", '"{}"', '"{}', "'{}'", '"{}""'])


@st.composite
def lines(draw: st.DrawFn) -> str:
    label = draw(st.sampled_from(["0", "3", "6", "7", "-1", "3.0", "", "03", "three"]))
    usage = draw(st.sampled_from([*USAGES, "training", "", "Training,", "Test"]))
    fields = [label, draw(st.sampled_from([f"{PIXELS} ", PIXELS + "  "])) + draw(NUMBERS), usage]
    fields = [draw(BLANKS) + draw(QUOTES).format(field) + draw(BLANKS) for field in fields]
    return ",".join(fields[: draw(st.sampled_from([3, 3, 3, 3, 2]))]) + draw(ENDS)


@given(
    header=st.sampled_from(["emotion,pixels,Usage", "emotion, pixels ,usage", '"emotion","pixels","Usage"']),
    mark=st.sampled_from(["", "", "\ufeff"]),
    end=st.sampled_from(["\n", "\r\n"]),
    rows=st.lists(lines(), max_size=4),
    encoding=st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le"]),
)
@seed(SEED)
@settings(max_examples=EACH, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_row_is_read_as_plain_python_reads_it_or_refused(
    header: str, mark: str, end: str, rows: list[str], encoding: str
) -> None:
    content = (mark + header + end + "".join(rows)).encode(encoding)
    try:
        with no_hang(json.dumps([header, rows])):
            found = rows_of(parse_pixel_csv(io.BytesIO(content), "a.csv").faces)
    except DataError:
        assert encoding != "utf-8" or not "".join(rows).strip() or "\r" in content.decode().replace("\r\n", "")
        return
    assert encoding == "utf-8"
    assert_rows_of_csv(content, found)


@pytest.mark.parametrize("swallowed", [Exception, BaseException])
def test_a_hang_is_found_whatever_the_reader_refuses(swallowed: type[BaseException]) -> None:
    def slow_reader() -> None:
        try:
            time.sleep(5)
        except swallowed as error:
            raise DataError("a.csv: no pixels") from error

    with pytest.raises(Hang, match=r"a\.csv: still reading after 0\.05 seconds"), no_hang("a.csv", seconds=0.05):
        slow_reader()


def test_the_files_are_read_as_long_as_nobody_mutates_them(tmp_path: Path) -> None:
    for name, content in (("fer2013.csv", CSV), ("fer2013.zip", archive("zip")), ("data.tar", archive("tar"))):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name) == ROWS == plainly_read(CSV)
    (tmp_path / "best.ckpt").write_bytes(checkpoint_bytes())
    assert torch.equal(load_model(tmp_path / "best.ckpt").net.state_dict()["classifier.4.weight"], MODEL.head.weight)  # type: ignore[arg-type]
    assert np.array_equal(IMAGES[0].reshape(-1), np.frombuffer(ROWS[1][2], np.uint8))
