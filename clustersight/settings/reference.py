"""docs/configuration.md, made from the models: `python -m clustersight.settings.reference FILE`.

What a setting means is the docstring below it, read from the source: nothing is kept for that at run time.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from clustersight.settings.environment import variables
from clustersight.settings.model import Settings
from clustersight.settings.reference_text import ENVIRONMENT, HEAD, RELOAD, WEB
from clustersight.settings.reference_types import default_of, kind_of, section_of
from clustersight.yaml_tree import Keys

_TABLE = "\n| key | type | default | environment | meaning |\n|---|---|---|---|---|\n"
_VARIABLES = "\n| variable | is |\n|---|---|\n"


@dataclass(frozen=True)
class Setting:
    """One key: its place (`[]` stands for an item of a list), and what there is to say about it."""

    keys: tuple[str, ...]
    kind: str
    default: str
    meaning: str

    @property
    def variable(self) -> str:
        """Its environment variable; empty in the items of lists, which have none."""
        if "[]" in self.keys:
            return ""
        return "CLUSTERSIGHT__" + "__".join(self.keys).upper()


def settings() -> list[Setting]:
    """Every key of the file, in its order; sections of a section after their keys."""
    return list(_settings(Settings, ()))


def document() -> str:
    """The text of docs/configuration.md."""
    return HEAD + "".join(_sections(Settings, ())) + ENVIRONMENT + _own_variables() + WEB + RELOAD


def _settings(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[Setting]:
    told = _docstrings(model)
    for name, field in model.model_fields.items():
        found = section_of(field.annotation)
        if found is None or found.within:
            yield Setting((*place, name), kind_of(field), default_of(field), _meaning(model, name, told))
    for name, field in model.model_fields.items():
        found = section_of(field.annotation)
        if found is not None:
            yield from _settings(found.model, (*place, name, *found.within))


def _sections(model: type[BaseModel], place: tuple[str, ...]) -> Iterator[str]:
    own = [one for one in _settings(model, place) if len(one.keys) == len(place) + 1]
    if own:
        yield f"\n## {_heading(place)}\n\n{_about(model)}\n{_TABLE}{''.join(map(_row, own))}"
    for name, field in model.model_fields.items():
        found = section_of(field.annotation)
        if found is not None:
            yield from _sections(found.model, (*place, name, *found.within))


def _heading(place: Keys) -> str:
    return ".".join(map(str, place)).replace(".[]", "[]") or "At the top"


def _about(model: type[BaseModel]) -> str:
    return "What belongs to no section." if model is Settings else inspect.getdoc(model) or ""


def _row(setting: Setting) -> str:
    variable = f"`{setting.variable}`" if setting.variable else "-"
    cells = (f"`{setting.keys[-1]}`", setting.kind, setting.default, variable, setting.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _own_variables() -> str:
    rows = (f"| `{name}` | `{'.'.join(map(str, keys))}` |\n" for name, keys in variables().items())
    return _VARIABLES + "".join(rows) + "| `CLUSTERSIGHT_CONFIG` | the file itself, as `--config` |\n"


def _meaning(model: type[BaseModel], name: str, told: dict[str, str]) -> str:
    secret = name.removesuffix("_file")
    if secret != name and secret in model.model_fields:
        return f"A file that holds `{secret}`; give one of the two."
    return told.get(name, "")


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Of a model and those it extends: the text below each field."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found |= dict(_written(base))
    return found


def _written(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    (definition,) = ast.parse(inspect.getsource(model)).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield field.target.id, " ".join(text.split())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
