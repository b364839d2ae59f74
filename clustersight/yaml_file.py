"""A YAML file that must hold a mapping: read, or refused with the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clustersight.problem import Problem, SettingsError
from clustersight.yaml_tree import MAX_NODES, Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read_mapping(
    path: Path, expand: Callable[[str], str] | None = None, *, max_nodes: int = MAX_NODES
) -> Tree:
    """Return the tree of a file, `{}` for an empty one; faults of single values are left in the tree.

    Raises SettingsError where there is no mapping to go on with: unreadable, not YAML, a list, a word.
    """
    tree = read_tree(_text(path), expand, max_nodes=max_nodes)
    problems = faults_of(tree, str(path))
    if tree.broken:
        raise SettingsError(problems)
    if tree.data is None and not tree.faults:
        tree.data = {}
    if not isinstance(tree.data, dict):
        place = tree.place(())
        message = "must be a mapping (key: value) at the top"
        raise SettingsError([*problems, Problem(str(path), message, place.line, place.column)])
    return tree


def faults_of(tree: Tree, source: str) -> list[Problem]:
    """Return what is wrong with the text itself."""
    return [
        Problem(source, named(fault.keys, fault.message), fault.place.line, fault.place.column)
        for fault in tree.faults
    ]


def named(keys: tuple[str | int, ...], message: str) -> str:
    """Put the setting's name before a message: `clusters[0].port: …`."""
    return f"{dotted(keys)}: {message}" if keys else message


def dotted(keys: tuple[str | int, ...]) -> str:
    """Write a way as people do: `clusters[0].port`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:
        reason = "it is not UTF-8 text, or its name is no file name"
    raise SettingsError([Problem(str(path), f"cannot be read: {reason}; check path and mode", 1, 1)])
