"""`${VAR}` and `${VAR:-default}` in the text values of a configuration; `$$` is a dollar sign."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOLLAR = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace the references of a text; what they bring in is not expanded again.

    As in a shell, `:-` gives its default where the variable is unset or empty. Raises ValueError, which
    names the variable and never a value.
    """
    return _DOLLAR.sub(lambda match: _replacement(match, environ), text)


def _replacement(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    reference = _REFERENCE.fullmatch(match[1])
    if not match[2] or reference is None or "${" in match[1]:
        raise ValueError("has a ${ that is no ${VAR} or ${VAR:-default}; write $${ for the characters")
    name, default = reference.groups()
    value = environ.get(name)
    if default is not None:
        return value or str(default)
    if value is None:
        raise ValueError(f"${{{name}}} is not set; set the variable, or give a default: ${{{name}:-…}}")
    return value
