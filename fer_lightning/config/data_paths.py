"""The paths that data.path names: of one set or of several. Imports no torch."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from fer_lightning.errors import ConfigError

VOTES = "data.votes.path"


def named_paths(data_path: Any) -> dict[str, str]:
    """Returns the key and the text of each path that is written out, as in data.path[1]; of a plain value.

    What is no text, or refers to another key, is not among them.
    """
    entries = data_path if isinstance(data_path, list) else [data_path]
    several = isinstance(data_path, list)
    found = {}
    for place, entry in enumerate(entries):
        path = entry.get("path") if several and isinstance(entry, dict) else entry
        if isinstance(path, str) and path and "${" not in path:
            found[f"data.path[{place}]" if several else "data.path"] = path
    return found


def refuse_repeated(paths: dict[str, str]) -> None:
    """Refuses a set that is named twice, whatever leads to it.

    Raises:
        ConfigError: says which.
    """
    first: dict[str, str] = {}
    for key, path in paths.items():
        try:
            real = os.path.realpath(os.path.expanduser(path))
        except (OSError, ValueError):  # something is wrong with it, which its reader says
            continue
        if real in first:
            raise ConfigError(f"{key} is {path}, and so is {first[real]}: name each set once")
        first[real] = key


def path_keys(run: DictConfig) -> Iterator[str]:
    """Yields the keys of all paths of faces and votes in the config of a run, as OmegaConf takes them."""
    node = run.data.get("path")
    if not isinstance(node, ListConfig):
        yield from ("data.path", VOTES)
        return
    yield VOTES
    for place, entry in enumerate(node):
        key = f"data.path[{place}]"
        yield from (f"{key}.path", f"{key}.votes.path") if isinstance(entry, DictConfig) else (key,)


def set_places(run: DictConfig, sources: str | Sequence[str], votes: str | Sequence[str | None] | None) -> None:
    """Sets in the config of a run where its faces and their votes are, as its checkpoint says.

    Faces that are drawn stay as they are: they are drawn again if they are gone. An entry of several sets keeps its
    other keys.

    Args:
        run: the config, which is changed.
        sources: where the set is, or each of several.
        votes: likewise.

    Raises:
        ConfigError: the config and the checkpoint are of another number of sets.
    """
    node = run.data.get("path")
    if isinstance(node, DictConfig):
        return
    if not isinstance(node, ListConfig):
        if not isinstance(sources, str):
            raise _other_number(1, len(sources))
        run.data.path = sources
        if run.data.get("votes"):
            run.data.votes.path = votes
        return
    paths = [sources] if isinstance(sources, str) else list(sources)
    voted = [votes] if votes is None or isinstance(votes, str) else list(votes)
    if not len(paths) == len(voted) == len(node):
        raise _other_number(len(node), len(paths))
    for place, (path, of_votes) in enumerate(zip(paths, voted, strict=True)):
        entry = node[place]
        if not isinstance(entry, DictConfig):
            node[place] = path
            if len(node) == 1 and run.data.get("votes"):
                run.data.votes.path = of_votes
            continue
        entry.path = path
        if entry.get("votes"):
            OmegaConf.update(entry, "votes.path", of_votes, force_add=True)


def forget_form(run: DictConfig, given: Any) -> None:
    """Removes from the config of a run what is of its own faces alone: others have other votes, numbers and columns.

    Args:
        run: the config, which is changed.
        given: data.path of the others, of which each of several says its votes itself.
    """
    if run.data.get("votes"):
        run.data.votes.path = None
        if isinstance(given, ListConfig) and len(given) > 1:
            run.data.votes = None
    run.data.numbering = run.data.labels_from = run.data.angles = None
    for key in run.data.get("columns") or {}:
        run.data.columns[key] = None


def with_own_entries(node: Any, given: Any, sources: str | Sequence[str] | None = None) -> Any:
    """Returns data.path as it is typed for a run: its own sets keep what its config says of them and is not typed anew.

    Args:
        node: data.path of the run's config.
        given: what is typed in its place.
        sources: where the run's sets are, in their order, by which they are known among others; None where its own sets
            are given in that order, wherever they lie now.
    """
    typed = list(given) if isinstance(given, ListConfig) else [given]
    if not isinstance(node, ListConfig) or (sources is None and len(node) != len(typed)):
        return given
    own: list[Any] = list(node)
    if sources is not None:
        places = [sources] if isinstance(sources, str) else sources
        known: dict[str | None, Any] = {
            os.path.realpath(place): entry for place, entry in zip(places, node, strict=False)
        }
        own = [known.get(_real_path(one)) for one in typed]
    entries = [_with_own(entry, one) for entry, one in zip(own, typed, strict=True)]
    return OmegaConf.create(entries) if any(isinstance(entry, DictConfig) for entry in entries) else given


def own_entries(node: Any) -> list[dict[str, Any]]:
    """Returns the sets of data.path in a run's config of which it says more than a path: with all that it says."""
    entries: Any = OmegaConf.to_container(node, resolve=True) if isinstance(node, ListConfig) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _real_path(one: Any) -> str | None:
    path = one.get("path") if isinstance(one, DictConfig) else one
    return os.path.realpath(os.path.expanduser(path)) if isinstance(path, str) else None


def _with_own(entry: Any, one: Any) -> Any:
    """Returns an entry of a run's config with what is typed for its set; the latter alone where there is no entry."""
    if not isinstance(entry, DictConfig) or not isinstance(one, str | DictConfig):
        return one
    entry = entry.copy()
    for key, value in one.items() if isinstance(one, DictConfig) else [("path", one)]:
        OmegaConf.update(entry, str(key), value, merge=False, force_add=True)
    return entry


def is_absent(path: str) -> bool:
    """Checks that nothing is at a path; False where that cannot be said."""
    try:
        Path(path).expanduser().stat()
    except FileNotFoundError:
        return True
    except (OSError, RuntimeError, ValueError):  # something else is wrong with it, which its reader says
        return False
    return False


def _other_number(of_config: int, of_checkpoint: int) -> ConfigError:
    return ConfigError(
        f"the run's config names {of_config} sets of faces, and its checkpoint {of_checkpoint}: one of the two is "
        "damaged, or of another run"
    )
