"""Problems and findings of lint as people and machines read them: text, JSON, GitHub, SARIF."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from clustersight import __version__
from clustersight.problem import Problem
from clustersight.rules.drafts import Draft
from clustersight.rules.lint import CHECKS, Finding, Level, lint
from clustersight.rules.rule import Rule

# What makes a rule unusable has one kind: its message says what it is.
ERROR = "error"
_GITHUB = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def errors(problems: Iterable[Problem]) -> list[Finding]:
    """Problems of loading, beside what lint finds."""
    return [Finding(ERROR, Level.ERROR, problem) for problem in problems]


def of(drafts: Iterable[Draft], others: Iterable[Rule] = ()) -> list[Finding]:
    """What lint finds, in the order of the files."""
    return sorted(lint(drafts, others), key=_place)


def _place(finding: Finding) -> tuple[str, int, int]:
    problem = finding.problem
    return problem.source, problem.line or 0, problem.column or 0


def text(findings: Sequence[Finding]) -> str:
    """A line each: FILE:LINE:COL: message (level, id); errors as everywhere."""
    return "\n".join(_line(finding) for finding in findings)


def _line(finding: Finding) -> str:
    return f"{finding.problem}" + ("" if finding.id == ERROR else f" ({finding.level}: {finding.id})")


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps([_plain(finding) for finding in findings], indent=2, ensure_ascii=False)


def _plain(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    return {
        "id": finding.id,
        "level": finding.level.value,
        "file": problem.source,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    }


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands, which GitHub shows beside the line."""
    return "\n".join(_command(finding) for finding in findings)


def _command(finding: Finding) -> str:
    problem = finding.problem
    places = {"file": problem.source, "line": problem.line, "col": problem.column, "title": finding.id}
    told = ",".join(f"{key}={_property(str(value))}" for key, value in places.items() if value is not None)
    return f"::{_GITHUB[finding.level]} {told}::{_data(problem.message)}"


def _data(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0, for code scanning."""
    driver = {
        "name": "clustersight rules lint",
        "version": __version__,
        "rules": [{"id": id_} for id_ in (ERROR, *CHECKS)],
    }
    run = {"tool": {"driver": driver}, "results": [_result(finding) for finding in findings]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(finding: Finding) -> dict[str, Any]:
    problem = finding.problem
    place: dict[str, Any] = {"artifactLocation": {"uri": problem.source}}
    if problem.line is not None:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column or 1}
    return {
        "ruleId": finding.id,
        "level": finding.level.value,
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": place}],
    }


FORMATS: Mapping[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": as_json,
    "github": github,
    "sarif": sarif,
}
