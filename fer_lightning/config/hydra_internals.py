"""The private names of Hydra and OmegaConf that this program uses.

Hydra's sweeper, which ours build on, is not here: Hydra executes that module again when it looks for plugins, and what
was imported before would be another class.
"""

from typing import Any

from hydra._internal.utils import get_args_parser

__all__ = ["get_args_parser", "root_of"]


def root_of(node: Any) -> Any:
    """Returns the whole config that a node of it is in."""
    return node._get_root()
