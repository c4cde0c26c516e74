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


def moved(node: Any, given: Any) -> Any:
    """Returns data.path of a run for the same sets elsewhere: entries that are given as paths keep their other keys.

    Args:
        node: data.path of the run's config.
        given: what is typed in its place.
    """
    paths = list(given) if isinstance(given, ListConfig) else [given]
    if not isinstance(node, ListConfig) or len(node) != len(paths):
        return given
    entries: list[Any] = []
    for entry, path in zip(node, paths, strict=True):
        if isinstance(entry, DictConfig) and isinstance(path, str):
            entry = entry.copy()
            entry.path = path
            entries.append(entry)
        else:
            entries.append(path)
    return OmegaConf.create(entries)


def with_own_entries(node: Any, sources: str | Sequence[str], given: Any) -> Any:
    """Returns data.path as it is typed for a finished run; its own sets keep what the run's config says of them.

    Args:
        node: data.path of the run's config.
        sources: where its sets are, in the same order.
        given: what is typed.
    """
    if not isinstance(node, ListConfig):
        return given
    places = [sources] if isinstance(sources, str) else sources
    own = {os.path.realpath(place): entry for place, entry in zip(places, node, strict=False)}
    entries: list[Any] = []
    for path in given if isinstance(given, ListConfig) else [given]:
        entry = own.get(os.path.realpath(os.path.expanduser(path))) if isinstance(path, str) else None
        entries.append({**entry, "path": path} if isinstance(entry, DictConfig) else path)
    return given if all(isinstance(entry, str) for entry in entries) else OmegaConf.create(entries)


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
