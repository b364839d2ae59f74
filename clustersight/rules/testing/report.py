"""What came of tests, for people as promtool says it, and as JUnit's XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from clustersight.duration import format_duration
from clustersight.rules.testing.running import Failure, Outcome

# What XML 1.0 cannot hold in any way.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """The tests of a file that were run."""

    path: Path
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> bool:
        return any(outcome.failures for outcome in self.outcomes)


def text(file: FileOutcome) -> Iterator[str]:
    """The lines of one file."""
    yield f"Unit Testing:  {file.path}"
    if not file.failed:
        yield f"  SUCCESS ({len(file.outcomes)})"
        return
    yield "  FAILED:"
    for outcome in file.outcomes:
        for failure in outcome.failures:
            yield from _failure(file.path, outcome, failure)


def _failure(path: Path, outcome: Outcome, failure: Failure) -> Iterator[str]:
    place = failure.place
    yield f"    {path}:{place.line}:{place.column}: name: {outcome.case.name},"
    time = format_duration(timedelta(seconds=failure.time))
    yield f"      alertname: {failure.alertname}, time: {time}, {failure.what}"
    if failure.expected or failure.got:
        yield from _list("exp", failure.expected)
        yield from _list("got", failure.got)


def _list(name: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        yield f"        {name}:[]"
        return
    yield f"        {name}:["
    for line in lines:
        yield f"          {line}"
    yield "        ]"


def junit(files: Sequence[FileOutcome]) -> bytes:
    """A document of all tests: a suite a file, a case a test."""
    root = ET.Element("testsuites")
    for file in files:
        failed = sum(bool(outcome.failures) for outcome in file.outcomes)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(str(file.path)),
            tests=str(len(file.outcomes)),
            failures=str(failed),
        )
        for outcome in file.outcomes:
            _case(suite, file.path, outcome)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _case(suite: ET.Element, path: Path, outcome: Outcome) -> None:
    case = ET.SubElement(suite, "testcase", name=_clean(outcome.case.name), classname=_clean(str(path)))
    for failure in outcome.failures:
        lines = "\n".join(_failure(path, outcome, failure))
        told = ET.SubElement(case, "failure", message=_clean(f"{failure.alertname}: {failure.what}"))
        told.text = _clean(lines)


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
