"""Several machines search together, in one database: processes with a folder each, and a real PostgreSQL."""

import csv
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from sqlalchemy import text

from fer_lightning.config.storage_url import URL_VARIABLE, hide_passwords, with_password, without_password
from fer_lightning.errors import ConfigError
from fer_lightning.sweep.jobs import Outcome
from fer_lightning.sweep.launchers import following
from fer_lightning.sweep.search import usable_study
from fer_lightning.sweep.shared_search import SharedSearch
from fer_lightning.sweep.shared_study import SharedStudy, study_of_this_process
from fer_lightning.sweep.study_record import StudyRecord, study_record
from tests.conftest import Command
from tests.runs import SHORT
from tests.scripts import started_in
from tests.sweep.postgres import PASSWORD, binaries, cluster
from tests.sweep.test_search import SPACE

Opened = Callable[..., SharedSearch]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """HOST:PORT/DATABASE of a PostgreSQL with a user `fer`."""
    pytest.importorskip("psycopg")
    if (found := binaries()) is None:
        pytest.skip("no initdb and pg_ctl: install PostgreSQL, Debian's package postgresql")
    with cluster(found) as place:
        yield place


def wait_for(there: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.nightly  # test_search.py has the takeover itself
def test_what_a_killed_machine_was_at_another_takes_over(
    server: str, few_faces: Path, run_in: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://fer:{PASSWORD}@{server}"
    monkeypatch.setenv("STUDY_URL", url)
    command = (
        "train.py", "sweep=optuna", *SHORT, f"data.path={few_faces}", "data.batch_size=16", "callbacks.pictures=null",
        "callbacks.pruning.startup_trials=9", "hydra.sweeper.heartbeat=1", "hydra.sweeper.study=ours",
    )  # fmt: skip
    three = "hydra.sweeper.n_trials=3"
    typed, referred = f"hydra.sweeper.storage={url}", "hydra.sweeper.storage=${oc.env:STUDY_URL}"
    here, there = (tmp_path / name / "outputs/sweep/ours" for name in ("here", "there"))
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    killed = started_in(tmp_path / "here", *command, three, typed)
    said = tmp_path / "said"
    other = started_in(tmp_path / "there", *command, three, referred, printed=(said, said))
    wait_for(lambda: [*here.glob("*/checkpoints/last.ckpt")] and [*there.glob("*/.hydra/config.yaml")])
    assert killed.pid is not None
    assert other.pid is not None
    os.kill(other.pid, signal.SIGSTOP)  # so that it cannot be done before the silence is long enough
    killed.kill()
    killed.join()
    time.sleep(6)
    os.kill(other.pid, signal.SIGCONT)
    other.join(180)
    assert other.exitcode == 0, said.read_text()

    study = optuna.load_study(study_name="ours", storage=SharedStudy(url, "ours").storage())
    states = [trial.state for trial in study.trials]
    assert states.count(TrialState.COMPLETE) == 3
    assert states.count(TrialState.FAIL) == 1
    assert len(states) == 4
    (lost,) = (trial for trial in study.trials if trial.state is TrialState.FAIL)
    (again,) = (trial for trial in study.trials if trial.system_attrs.get("retry_history"))
    assert again.system_attrs["retry_history"] == [lost.number]
    assert again.params == lost.params
    assert (here / str(lost.number)).is_dir()
    assert (there / str(again.number) / "report" / "metrics.json").is_file()
    assert f"At {study_record(there).time}, 3 trials of all machines" in said.read_text()  # type: ignore[union-attr]
    assert f"best of all  trial {study.best_trial.number}, val/accuracy {study.best_value:.4f}" in said.read_text()

    joined = run_in(tmp_path / "here", *command, "hydra.sweeper.n_trials=4", typed)
    assert joined.returncode == 0, joined.stdout + joined.stderr
    assert f"trial {lost.number} was taken over by another machine" in joined.stdout
    rows = {int(row["job"]): row for row in csv.DictReader((here / "sweep.csv").read_text().splitlines())}
    assert rows[lost.number]["why"] == "taken over by another machine, after 5 s without a sign of life"
    assert rows[4]["state"] == "done"
    assert [trial.state for trial in study.trials][4:] == [TrialState.COMPLETE]

    printed = said.read_text() + joined.stdout + joined.stderr
    assert f"hydra.sweeper.storage=postgresql://fer:***@{server}" in printed
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []
    assert PASSWORD not in printed


def test_a_wrong_password_ends_in_one_message_before_work(server: str, run_command: Command, tmp_path: Path) -> None:
    result = run_command("train.py", "sweep=optuna", f"hydra.sweeper.storage=postgresql://fer:wrong_word@{server}")
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith(f"error: postgresql://fer:***@{server}: ")
    assert 'password authentication failed for user "fer"' in line
    assert "wrong_word" not in result.stdout + result.stderr
    assert not [*tmp_path.rglob(".hydra")]


def test_two_machines_make_the_tables_and_ask_at_once(server: str, opened: Opened, tmp_path: Path) -> None:
    shared = SharedStudy(f"postgresql://fer:{PASSWORD}@{server}", "at once")
    first, second = (opened(tmp_path / name, shared) for name in ("first", "second"))
    assert [first.ask(), second.ask(), first.ask()] == [0, 1, 2]
    assert len({tuple(first.overrides(number)) for number in range(3)}) == 3
    assert (first.trials, first.elsewhere, second.elsewhere) == (3, 1, 2)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret@localhost:1/x", r"postgresql://u:\*\*\*@localhost:1/x: .*refused"),
        ("postgresql://u:secret@no.such.host.invalid/x", r"postgresql://u:\*\*\*@no.such.host.invalid/x: .*resolve"),
        ("postgresql://u:secret/x@localhost:port/x", r"\*\*\*@localhost:port/x is no URL of a database. Expected"),
        ("fer2013.db", "fer2013.db is no URL of a database. Expected postgresql://"),
        ("nosql://localhost/x", "nosql"),
        ("mysql://u:secret@localhost/x", r"\*\*\*@localhost/x needs a driver that is not installed, MySQLdb"),
        ("sqlite:////no/such/folder/x.db", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_a_message(url: str, said: str, tmp_path: Path) -> None:
    shared = SharedStudy(url, "x")
    with pytest.raises(ConfigError, match=said) as raised, usable_study(tmp_path, shared):
        shared.storage()
    assert "secret" not in str(raised.value) + repr(shared)


@pytest.fixture
def shared(tmp_path: Path) -> SharedStudy:
    return SharedStudy(f"sqlite:///{tmp_path}/all.db", "ours", heartbeat=60)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Begins or goes on with a search in a folder."""
    with ExitStack() as stack:

        def search(folder: Path, shared: SharedStudy, fixed: Sequence[str] = ("seed=0",)) -> SharedSearch:
            folder.mkdir(exist_ok=True)
            made = SharedSearch(shared, folder, SPACE, fixed, "val/loss", partial(RandomSampler), 0)
            stack.callback(made.close)
            return made

        yield search


def begun(folder: Path, number: int) -> None:
    (folder / str(number) / ".hydra").mkdir(parents=True)


def silence(shared: SharedStudy) -> None:
    """Lets the last signs of life of all trials be an hour ago."""
    with shared.storage().engine.begin() as connection:
        connection.execute(text("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')"))


def test_a_machine_that_is_back_in_time_goes_on_with_its_trial(
    opened: Opened, shared: SharedStudy, tmp_path: Path
) -> None:
    machine, other = tmp_path / "machine", opened(tmp_path / "other", shared)
    begun(machine, opened(machine, shared).ask())
    assert (other.trials, other.unfinished, other.elsewhere) == (1, [], 1)
    silence(shared)
    back = opened(machine, shared)
    assert (back.unfinished, other.trials, other.elsewhere) == ([0], 1, 1)
    back.tell(0, Outcome("done", 0.5))
    assert other.ask() == 1


def test_a_silent_machine_s_trial_is_taken_over_twice(opened: Opened, shared: SharedStudy, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    searches = [opened(folder, shared) for folder in folders]
    values = set()
    for number, search in enumerate(searches):
        assert search.trials == 0  # and one waits to be taken over
        assert search.ask() == number
        begun(folders[number], number)
        values.add(tuple(search.overrides(number)))
        silence(shared)
    assert len(values) == 1
    assert searches[0].trials == 1  # it has failed for good
    searches[0].tell(0, Outcome("done", 0.5))  # it had only been slow
    assert searches[0].trials == 1
    opened(folders[0], shared)
    assert (folders[0] / "0" / "pruned.txt").read_text().startswith("taken over by another machine, after 300 s")
    assert searches[1].ask() == 3


def test_the_best_of_all_machines_is_in_each_folder(opened: Opened, shared: SharedStudy, tmp_path: Path) -> None:
    first, second = opened(tmp_path / "first", shared), opened(tmp_path / "second", shared)
    for search, score in ((first, 0.5), (second, 0.25), (first, 0.75)):
        search.tell(search.ask(), Outcome("done", score))
    record = study_record(tmp_path / "first")
    assert record is not None
    assert record.best is not None
    assert (record.trials, record.best.trial, record.best.score) == (3, 1, 0.25)
    assert record.best.trained_in.endswith(f":{tmp_path}/second")
    assert record.best.overrides == first.overrides(1)


def test_the_folder_of_another_study_is_refused(opened: Opened, shared: SharedStudy, tmp_path: Path) -> None:
    opened(tmp_path / "one", shared)
    other = SharedStudy(shared.url, "theirs")
    with pytest.raises(ConfigError, match=r"holds trials of the study ours in .*, and here is the study theirs in"):
        opened(tmp_path / "one", other)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "study.db").touch()
    with pytest.raises(ConfigError, match="holds a search of its own: leave out"):
        opened(tmp_path / "two", shared)


def test_places_and_devices_may_differ_and_the_rest_may_not(
    opened: Opened, shared: SharedStudy, tmp_path: Path
) -> None:
    opened(tmp_path / "one", shared, fixed=["seed=0", "data.path=/one/fer2013.csv", "trainer.accelerator=gpu"])
    opened(tmp_path / "two", shared, fixed=["data.path=/two/fer2013.csv", "seed=0"])
    with pytest.raises(ConfigError, match=r"the study ours in .* holds another search: it has seed=0, and here"):
        opened(tmp_path / "three", shared, fixed=["seed=1"])


def test_a_folder_alone_leads_to_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StudyRecord(storage="postgresql://elsewhere/x", study="ours", time="now").write(tmp_path)
    monkeypatch.setenv(URL_VARIABLE, "postgresql://u:secret@localhost/x")
    with pytest.raises(ConfigError, match="elsewhere/x alone leads nowhere"):
        study_of_this_process(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:pw@host/db", "postgresql://u:***@host/db"),
        ("postgresql://u:p@w,x'=&/?@host:5432/db?sslmode=require", "postgresql://u:***@host:5432/db?sslmode=require"),
        (
            "postgresql:///db?host=/run&user=u&password=pw&port=1",
            "postgresql:///db?host=/run&user=u&password=***&port=1",
        ),
        ("mysql+pymysql://:pw@host/db", "mysql+pymysql://:***@host/db"),
    ],
)
def test_a_typed_password_moves_into_the_environment(url: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "")
    assert without_password(url) == shown == without_password(shown)
    with pytest.raises(ConfigError, match="put the whole URL, with its password if it has one, into"):
        with_password(shown)
    (word,) = hide_passwords([f"hydra.sweeper.storage={url}"])
    assert word in (f"hydra.sweeper.storage={shown}", f'hydra.sweeper.storage="{shown}"')
    assert with_password(shown) == url == os.environ[URL_VARIABLE]


def test_words_without_a_password_stay_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "")
    for value in ("null", "postgresql://u@host/db", "sqlite:////all.db", "${oc.env:URL}", "postgresql://u:***@host/db"):
        assert hide_passwords([f"hydra.sweeper.storage={value}"]) == [f"hydra.sweeper.storage={value}"]
        assert os.environ[URL_VARIABLE] == ""
    with pytest.raises(ConfigError, match="with its password in plain text"):
        hide_passwords(["hydra.sweeper.storage=postgresql://u:pw@${oc.env:HOST}/db"])


def test_a_password_in_a_file_of_configs_is_refused(run_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine" / "sweep").mkdir(parents=True)
    (tmp_path / "mine" / "sweep" / "ours.yaml").write_text(
        "# @package _global_\ndefaults:\n  - optuna\n\nhydra:\n  sweeper:\n    storage: postgresql://u:plain_word@h/db\n"
    )
    result = run_command("train.py", "--config-dir=mine", "sweep=ours")
    assert result.returncode == 1
    assert "postgresql://u:***@h/db, with its password in plain text, which would be written into" in result.stderr
    assert "plain_word" not in result.stderr + result.stdout


def test_numbers_that_others_have_between_are_launched_apart() -> None:
    assert following([7, 3, 4, 5, 9], 2) == [[3, 4], [5], [7], [9]]
