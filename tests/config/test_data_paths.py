"""The paths of several sets, as a run's config and its checkpoint have them."""

from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from fer_lightning.config.data_paths import own_entries, path_keys, set_places, with_own_entries
from fer_lightning.errors import ConfigError


def run(path: Any, **data: Any) -> DictConfig:
    return OmegaConf.create({"data": {"path": path, **data}})


def test_places_of_a_checkpoint_leave_the_rest_of_an_entry() -> None:
    cfg = run(["a", {"path": "b", "numbering": "rafdb"}, {"path": "c", "votes": {"rule": "majority"}}], votes=None)
    set_places(cfg, ["/x/a", "/x/b", "/x/c"], [None, None, "/x/votes.csv"])
    assert OmegaConf.to_container(cfg.data.path) == [
        "/x/a",
        {"path": "/x/b", "numbering": "rafdb"},
        {"path": "/x/c", "votes": {"rule": "majority", "path": "/x/votes.csv"}},
    ]


def test_places_of_one_set_are_set_where_it_is_named() -> None:
    for path, expected in (("a", "/x/a"), (["a"], ["/x/a"]), ([{"path": "a"}], [{"path": "/x/a"}])):
        cfg = run(path, votes={"path": "v"})
        set_places(cfg, "/x/a", None if isinstance(path, list) and path != ["a"] else "/x/v")
        found = OmegaConf.to_container(cfg.data)
        assert isinstance(found, dict)
        assert found["path"] == expected
    demo = run({"_target_": "drawn"})
    set_places(demo, "/x/a", None)
    assert demo == run({"_target_": "drawn"})


@pytest.mark.parametrize(
    ("path", "sources"), [(["a", "b"], ["/a", "/b", "/c"]), ("a", ["/a", "/b"]), (["a", "b"], "/a"), (None, ["/a"] * 2)]
)
def test_a_checkpoint_of_another_number_of_sets_is_refused(path: Any, sources: Any) -> None:
    votes = None if isinstance(sources, str) else [None] * len(sources)
    with pytest.raises(ConfigError, match=r"config names \d sets of faces, and its checkpoint \d: one of the two is"):
        set_places(run(path), sources, votes)


def test_sets_that_moved_are_read_as_before() -> None:
    node = run(["a", {"path": "b", "numbering": "rafdb"}]).data.path
    elsewhere = with_own_entries(node, OmegaConf.create(["/y/a", "/y/b"]))
    assert OmegaConf.to_container(elsewhere) == ["/y/a", {"path": "/y/b", "numbering": "rafdb"}]
    other = OmegaConf.create(["/y/a", {"path": "/y/b", "numbering": "affectnet"}])
    assert with_own_entries(node, other) == other
    assert with_own_entries(node, "/y") == "/y"
    assert with_own_entries("a", other) == other


def test_what_is_typed_anew_goes_before_what_an_entry_has() -> None:
    node = run([{"path": "a", "numbering": "rafdb", "val_fraction": 0.2}]).data.path
    kept = [{"path": "/y", "numbering": "ferplus", "val_fraction": 0.2}]
    typed = OmegaConf.create([{"path": "/y", "numbering": "ferplus"}])
    assert with_own_entries(node, typed) == kept
    assert with_own_entries(node, typed, "/y") == kept
    assert with_own_entries(node, typed, "/x") == typed
    assert with_own_entries(node, "/y") == [{"path": "/y", "numbering": "rafdb", "val_fraction": 0.2}]
    assert own_entries(node) == [{"path": "a", "numbering": "rafdb", "val_fraction": 0.2}]
    assert own_entries("a") == own_entries(run(["a", "b"]).data.path) == []


def test_all_paths_of_a_config_are_known() -> None:
    cfg = run(["a", {"path": "b", "votes": {"path": "v"}}])
    keys = list(path_keys(cfg))
    assert [OmegaConf.select(cfg, key) for key in keys] == [None, "a", "b", "v"]
    for key in keys[1:]:
        OmegaConf.update(cfg, key, "/x")
    assert OmegaConf.to_container(cfg.data.path) == ["/x", {"path": "/x", "votes": {"path": "/x"}}]
