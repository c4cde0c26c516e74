"""Commands that the program prints work when pasted, and what a person types plainly is read."""

import shlex
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from fer_lightning.commands.failures import in_one_message
from fer_lightning.config.typed_command import command, config_options, override, readable, shell_word
from fer_lightning.config.typed_words import for_hydra
from fer_lightning.errors import ConfigError
from fer_lightning.installation import typed_value
from fer_lightning.report.provenance import provenance
from fer_lightning.sweep.jobs import continuing
from tests.conftest import Command, Compose
from tests.runs import SHORT, metrics
from tests.scripts import REPOSITORY

NASTY = (
    "mein lauf", "a(b)", "[x]", "{k: v}", "$HOME", "$(id)", "`id`", "lr=0.1", "a,b", "it's", 'say "x"', "it's \"both\"",
    "a:b", "#1", "~x", "123", "1e3", "true", "null", "日本", "José", "😀", "back\\slash", "end\\", "\\'", " lead",
    "trail ", "tab\tx", "two\nlines", "100%", "a!b", "a;b", "a&b|c", "<x>", "*", "glob(*)", "interval(0,1)", "-x", "+x",
    "@x", "a${seed}b", "\\${seed}", "plain",
)  # fmt: skip


def read_back(word: str, key: str) -> str:
    """What a config has for the key of an override."""
    parsed = OverridesParser.create().parse_override(word)
    assert parsed.key_or_group == key
    return str(OmegaConf.create({"seed": 1, key: parsed.value()})[key])


@pytest.mark.parametrize("name", NASTY)
def test_a_printed_command_has_its_path_for_shell_and_hydra(name: str) -> None:
    line = command("train.py", override("resume", name))
    python, script, word = shlex.split(line)
    assert (python, script) == ("python", "train.py")
    assert read_back(word, "resume") == name
    # As a path: one that would be taken for a home folder is absolute then.
    assert Path(read_back(override("resume", Path(name)), "resume")).expanduser().absolute() == Path(name).absolute()


@pytest.mark.parametrize("name", [*NASTY, "", "/a/b-c_d.e", "False", "nan", "null"])
def test_a_value_is_quoted_alone_and_within_an_entry(name: str) -> None:
    assert read_back(f"k={typed_value(name)}", "k") == name
    parsed = OverridesParser.create().parse_override(f"k=[{{path: {typed_value(name)}, test_fraction: 0.1}}]").value()
    entry = OmegaConf.create({"seed": 1, "k": parsed}).k[0]
    assert (entry.path, entry.test_fraction) == (name, 0.1)
    assert typed_value("/tmp/a-b/c_1.csv") == "/tmp/a-b/c_1.csv"


def test_plain_names_are_printed_without_quotes() -> None:
    plain = "outputs/train/2026-11-20_10-27-22-879813_resnet18"
    assert command("test.py", override("run_dir", Path(plain))) == f"python test.py run_dir={plain}"
    assert shell_word(Path("-x y")) == "'./-x y'"


def test_how_to_go_on_after_a_full_disk_is_quoted(tmp_path: Path) -> None:
    run = tmp_path / "it's [1], José"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "last.ckpt").touch()
    error = in_one_message(OSError(28, "No space left on device"), run)
    printed = str(error).partition("python train.py ")[2]
    assert read_back(shlex.split(printed)[0], "resume") == str(run)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("data.path=/home/José/fer2013.csv", "/home/José/fer2013.csv"),
        ("data.path=~/fer2013.csv", "~/fer2013.csv"),
        ("hydra.run.dir=日本/run #1", "日本/run #1"),
        ("data.splits.test=[ä, b,ö ü]", ["ä", "b", "ö ü"]),
        ("+x={k:[ä]}", {"k": ["ä"]}),
        (
            "data.path=[a é,{path: /home/José/b,numbering: rafdb}]",
            ["a é", {"path": "/home/José/b", "numbering": "rafdb"}],
        ),
        ("data.path=a&b;c!.csv", "a&b;c!.csv"),
    ],
)
def test_a_plain_value_needs_no_quotes_for_any_letter(typed: str, expected: object) -> None:
    (word,) = readable([typed])
    assert OverridesParser.create().parse_override(word).value() == expected


def test_choices_with_letters_of_any_alphabet_are_swept_over() -> None:
    (word,) = readable(["data.path=/José/a.csv,~/b.csv"])
    parsed = OverridesParser.create().parse_override(word)
    assert parsed.is_sweep_override()
    assert list(parsed.sweep_string_iterator()) == ['"/José/a.csv"', '"~/b.csv"']


@pytest.mark.parametrize(
    "word",
    [
        "optimizer.lr=0.1", "data.path='ä'", 'data.path="~"', "a=b=c", "data.path=José (1).csv", "x=[ä", "foo", "x=",
        "run_dir=outputs/train/…", "~callbacks.pictures", "-m", "--config-dir=/ä", "x=${a}/b",
        "optimizer.lr=tag(log,interval(0.001,0.1))",
    ],
)  # fmt: skip
def test_what_hydra_reads_or_could_mean_something_else_stays(word: str) -> None:
    assert readable([word]) == [word]


def test_a_sweep_goes_on_with_its_configs_and_what_was_typed(
    composed: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    composed("+x=1", "hydra.sweep.subdir=seed_${seed}", "++hydra.sweep.dir=elsewhere", "hydra.mode=MULTIRUN")
    config = OmegaConf.create(OmegaConf.to_container(HydraConfig.get(), resolve=False))
    assert isinstance(config, DictConfig)
    config.sweep.dir = "sw (1)/日本"
    config.job.name = "train"
    config.runtime.config_sources.append(
        {"path": str(tmp_path / "my conf"), "schema": "file", "provider": "command-line"}
    )
    words = shlex.split(continuing(OmegaConf.create({"hydra": config, "seed": 0})))
    assert words[:3] == ["python", "train.py", "--config-dir=my conf"]
    assert "hydra.sweep.subdir=seed_${seed}" in words
    assert "+x=1" in words
    assert [word for word in words if "sweep.dir" in word] == ['hydra.sweep.dir="sw (1)/日本"']


def hydra_part(**parts: object) -> DictConfig:
    return OmegaConf.create(parts)


def test_a_recorded_command_keeps_where_its_configs_are_from() -> None:
    sources = [
        {"path": "hydra.conf", "schema": "pkg", "provider": "hydra"},
        {"path": str(REPOSITORY / "conf"), "schema": "file", "provider": "main"},
    ]
    usual = hydra_part(job={"name": "train", "config_name": "train"}, runtime={"config_sources": sources})
    assert config_options(usual) == []
    sources[1]["path"] = "/other/conf"
    sources.append({"path": "/my conf", "schema": "file", "provider": "command-line"})
    own = hydra_part(
        job={"name": "train", "config_name": "mine"},
        runtime={"config_sources": sources},
        overrides={"hydra": ["hydra.searchpath=[file://${oc.env:HOME}/x]", "hydra.run.dir=x"]},
    )
    options = config_options(own)
    assert options == [
        "--config-path=/other/conf", "--config-dir=/my conf", "--config-name=mine",
        "hydra.searchpath=[file://${oc.env:HOME}/x]",
    ]  # fmt: skip
    recorded = provenance(command("train.py", *options, "seed=1"), "cpu")["command"]
    assert isinstance(recorded, str)
    assert shlex.split(recorded) == ["python", "train.py", *options, "seed=1"]
    assert config_options(hydra_part(job=None)) == []


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("logger=null", "logger=none"),
        ("logger=[]", "logger=none"),
        ("~logger", "logger=none"),
        ("scheduler=null", "scheduler=none"),
        ("debug=null", "~debug"),
        ("experiment=null", "~experiment"),
        ("sweep=null", "~sweep"),
        ("~debug", "~debug"),
        ("resume=null", "resume=null"),
        ("~callbacks.pictures", "~callbacks.pictures"),
        ("hydra/launcher=joblib", "hydra/launcher=joblib"),
    ],
)
def test_a_group_can_be_left_empty_in_the_ways_people_say_it(typed: str, read: str) -> None:
    assert for_hydra("train.py", [typed]) == [read]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("callbacks=null", r"callbacks=null: a run needs a choice of callbacks, of .*default"),
        ("~model", r"~model: a run needs a choice of model, of deep_emotion, resnet18, small_resnet, torchvision"),
        ("+experiment=quick", r"without a plus: experiment=quick$"),
        ("++model=resnet18", r"without a plus: model=resnet18$"),
        ("--epochs 3", r"--epochs is no option. .* as in trainer\.max_epochs=3;"),
        ("--lr=0.1 seed=1", r"--lr=0\.1 is no option. .* as in optimizer\.lr=0\.1;"),
        ("--batch-size 64", r" as in data\.batch_size=64;"),
        ("--colour red", r"--colour is no option. .* as in optimizer\.lr=0\.1;"),
        ("--cfg jobs", r"argument --cfg/-c: invalid choice: 'jobs'"),
    ],
)
def test_what_cannot_be_meant_ends_in_one_message(typed: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        for_hydra("train.py", typed.split())


def test_options_may_stand_between_overrides() -> None:
    words = ["seed=0,1", "-m", "model=deep_emotion", "--config-dir", "x=1", "optimizer=adam"]
    assert for_hydra("train.py", words) == [
        "-m", "--config-dir", "x=1", "--", "seed=0,1", "model=deep_emotion", "optimizer=adam",
    ]  # fmt: skip
    assert for_hydra("train.py", for_hydra("train.py", words)) == for_hydra("train.py", words)  # by a second device
    assert for_hydra("test.py", ["run_dir=x", "~data"]) == ["run_dir=x", "~data"]  # test.py has no groups


def test_a_run_in_a_nasty_folder_is_tested_as_printed(few_faces: Path, run_command: Command, tmp_path: Path) -> None:
    name = "日本/it's [1] (2), $HOME=3 #4"
    run = tmp_path / name
    data = tmp_path / "José" / "faces.csv"
    data.parent.mkdir()
    data.write_bytes(few_faces.read_bytes())
    own = tmp_path / "my conf" / "augmentation"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text((REPOSITORY / "conf/augmentation/none.yaml").read_text())
    short = (*SHORT, "data.path=José/faces.csv", "trainer.max_epochs=1", "callbacks.pictures=null", "augmentation=mine")
    trained = run_command("train.py", *short, override("hydra.run.dir", name), "--config-dir", "my conf")
    assert trained.returncode == 0, trained.stderr
    (printed,) = [line for line in trained.stdout.splitlines() if line.startswith("test again")]
    python, script, *words = shlex.split(printed.removeprefix("test again"))
    assert (python, script) == ("python", "test.py")
    again = run_command(script, *words)
    assert again.returncode == 0, again.stderr
    _, script, *recorded = shlex.split(str(metrics(run)["command"]))
    assert recorded[0] == "--config-dir=my conf"
    assert "data.path=José/faces.csv" not in recorded
    assert 'data.path="José/faces.csv"' in recorded
    assert script == "train.py"
