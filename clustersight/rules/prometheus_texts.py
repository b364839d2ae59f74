"""Texts of alerts as Prometheus' templates, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clustersight.rules import templates
from clustersight.rules.expression import string
from clustersight.rules.templates import QUOTING, Tag, TemplateError, Variable

# Prometheus multiplies in humanizePercentage, and has nothing that only appends.
PERCENT = 'printf "%.4g%%"'
_CALL = re.compile(r"\{\{-?\s*(\w+)\s+(\$value|\$labels\.\w+)\s*-?\}\}")
_LITERAL = re.compile(r'\{\{\s*"((?:\\.|[^"\\])*)"\s*\}\}')


class UntranslatableError(ValueError):
    """A text that the other side cannot say; the message says why."""


def exported(text: str, labels: Mapping[str, str]) -> str:
    """A text for Prometheus. `labels` are the rule's own, which are not in Prometheus' $labels."""
    template = templates.compile(text)
    return "".join(part if isinstance(part, str) else _tag(part, labels) for part in template.parts)


def _tag(tag: Tag, labels: Mapping[str, str]) -> str:
    if tag.variable is Variable.ROW:
        raise UntranslatableError("Prometheus has no rows ($row)")
    functions = [_function(name, tag) for name in tag.functions]
    value = f"{tag.variable}.{tag.name}" if tag.name else str(tag.variable)
    if tag.variable is Variable.LABELS and tag.name in labels:
        value = string(labels[tag.name])
    return "{{ " + " | ".join([value, *functions]) + " }}"


def _function(name: str, tag: Tag) -> str:
    if name in QUOTING:
        raise UntranslatableError(f"Prometheus has no function {name}")
    if name != "humanizePercent":
        return name
    if tag.variable is not Variable.VALUE or tag.functions[0] != name:
        raise UntranslatableError("Prometheus has no humanizePercent for texts")
    return PERCENT


def imported(text: str, *, scaled: bool) -> str:
    """A text of Prometheus as ours. `scaled`: the rule's value was in a base unit, and ours is not.

    Raises UntranslatableError.
    """
    text = _LITERAL.sub(lambda found: re.sub(r"\\(.)", r"\1", found.group(1)), text)
    text = _CALL.sub(r"{{ \2 | \1 }}", text).replace(PERCENT, "humanizePercent")
    if scaled:
        text = re.sub(r"\$value\s*\|\s*humanizePercentage\b", "$value | humanizePercent", text)
    try:
        template = templates.compile(text)
    except TemplateError as error:
        raise UntranslatableError(error.message) from None
    for tag in template.tags if scaled else ():
        if tag.variable is Variable.VALUE and tag.functions[:1] != ("humanizePercent",):
            raise UntranslatableError("$value is in another unit here")
    return text
