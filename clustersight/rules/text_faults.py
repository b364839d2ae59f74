"""What is wrong with the texts of a rule: labels that its alerts lack, values in `fix` without quotes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from clustersight.problem import unknown
from clustersight.rules import templates
from clustersight.rules.rule import Fault, Rule, labels_of
from clustersight.rules.templates import Tag, Template, TemplateError, Variable
from clustersight.sql_text.tokens import Kind, Token, tokens

# A character that no YAML and no statement holds, in the place of a tag.
_PLACE = "\x00"
_WITHIN = {
    Kind.STRING: "stands within quotes; leave them out, since ident and literal bring their own",
    Kind.NAME: "stands within quotes; leave them out, since ident and literal bring their own",
    Kind.COMMENT: "stands within /* */, which its text could end; use a comment after --",
}


def faults(rule: Rule) -> Iterator[Fault]:
    """Of summary, description and fix."""
    for field in ("summary", "description", "fix"):
        text = getattr(rule, field)
        if text:
            yield from _faults(rule, field, text)


def _faults(rule: Rule, field: str, text: str) -> Iterator[Fault]:
    try:
        template = templates.compile(text)
    except TemplateError as error:
        yield Fault(field, error.message, error.position)
        return
    labels = labels_of(rule)
    if labels is not None:
        yield from _unknown_labels(template, field, (*labels, *rule.labels))
    if field == "fix":
        yield from _unquoted(template)


def _unknown_labels(template: Template, field: str, allowed: Collection[str]) -> Iterator[Fault]:
    for tag in template.tags:
        if tag.variable is Variable.LABELS and tag.name not in allowed:
            yield Fault(field, unknown("label", tag.name, allowed), tag.position)


def _unquoted(template: Template) -> Iterator[Fault]:
    """A table's name is data: `'` and `;` in it must stay data within the statement."""
    tags = iter(template.tags)
    for token in tokens(template.masked(_PLACE)):
        for _ in range(token.text.count(_PLACE)):
            yield from _about(next(tags), token)


def _about(tag: Tag, token: Token) -> Iterator[Fault]:
    if not tag.quoted:
        what = "needs | ident (a name) or | literal (a value) at its end, since it goes into a statement"
        yield Fault("fix", what, tag.position)
    elif token.kind is not Kind.OTHER and not _is_line_comment(token):
        yield Fault("fix", _WITHIN[token.kind], tag.position)


def _is_line_comment(token: Token) -> bool:
    """What ident and literal write is on one line and cannot end it."""
    return token.kind is Kind.COMMENT and not token.text.startswith("/*")
