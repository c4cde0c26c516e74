"""A ~ behind = is the home folder, as everywhere else on the command line."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from fer_lightning.config.home import with_home

HOMES = ["/home/ann", "/home/Ann Lee", "/home/José", "/home/o'neil [x]", "/home/=,{}$"]


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("key", ["data.path", "data.votes.path", "model.weights_path", "+loss.teacher", "run_dir"])
def test_a_path_below_the_home_folder_reaches_hydra(key: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    for rest in ("", "/fer2013.csv", "/my faces/fer 2013.csv"):
        override = OverridesParser.create().parse_override(with_home(f"{key}=~{rest}"))
        assert (override.key_or_group, override.value()) == (key.lstrip("+"), f"{home}{rest}")


def test_several_paths_of_a_sweep_are_each_below_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert with_home("data.path=~/a.csv,~/b.csv") == "data.path=/home/ann/a.csv,/home/ann/b.csv"
    assert with_home("a.paths=[~/a.csv,x~/b]") == "a.paths=[/home/ann/a.csv,x~/b]"
    assert with_home("data.path=[~/a,{path: ~/b}]") == "data.path=[/home/ann/a,{path: /home/ann/b}]"
    assert with_home("--config-dir=~/my conf") == "--config-dir=/home/ann/my conf"


@pytest.mark.parametrize(
    "argument", ["~logger", "~callbacks.early=~x", "-m", "seed=0,1", "data.path='~/a b.csv'", "a=b~"]
)
def test_what_is_no_path_stays(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert with_home(argument).replace("'~x'", "~x") == argument
