"""`clustersight rules test`: unit tests of rules in promtool's format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from clustersight.commands.rules_choice import EXIT_PROBLEMS, count, tell
from clustersight.rules.testing import coverage, files, report, running
from clustersight.rules.testing.files import Found
from clustersight.rules.testing.report import FileOutcome
from clustersight.table import visible


class _Regex(click.ParamType[re.Pattern[str]]):
    name = "regex"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)


@click.command(epilog="Example: clustersight rules test --coverage rules/")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--run", "chosen", type=_Regex(), help="Only tests whose name this regular expression finds.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit's XML to a file.")
@click.option(
    "--coverage", "cover", is_flag=True, help="Say which rules no test makes fire, or leaves silent."
)
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="N",
    help="Exit 1 if less than N percent of the rules fire in some test.",
)
@click.pass_context
def test(
    context: click.Context,
    paths: tuple[Path, ...],
    *,
    chosen: re.Pattern[str] | None,
    junit: Path | None,
    cover: bool,
    fail_under: float | None,
) -> None:
    """Run tests of rules, in promtool's format: PATH is a test file, or a folder with some.

    A test file has tests: at its top. 0: all passed. 1: a test failed, a file has a problem, no test was
    run, or --fail-under is not reached. 64: a wrong call.
    """
    found = files.find(paths)
    if found.problems:
        tell(map(str, found.problems))
        context.exit(EXIT_PROBLEMS)
    outcomes = _run(found, chosen)
    for file in outcomes:
        for line in report.text(file):
            click.echo(visible(line))
    if junit is not None:
        _write(context, junit, report.junit(outcomes))
    if not outcomes:
        tell(["no test has such a name"])
    covered = _cover(found, outcomes, fail_under, told=cover)
    context.exit(0 if covered and outcomes and not any(file.failed for file in outcomes) else EXIT_PROBLEMS)


def _run(found: Found, chosen: re.Pattern[str] | None) -> list[FileOutcome]:
    outcomes = []
    for tests in found.tests:
        cases = [case for case in tests.file.cases if chosen is None or chosen.search(case.name)]
        if cases:
            done = tuple(running.run(case, tests.rules) for case in cases)
            outcomes.append(FileOutcome(tests.file.path, done))
    return outcomes


def _write(context: click.Context, path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        tell([f"{path}: cannot be written: {error.strerror}"])
        context.exit(EXIT_PROBLEMS)


def _cover(found: Found, outcomes: Sequence[FileOutcome], least: float | None, *, told: bool) -> bool:
    """Whether enough rules fire in some test."""
    rules = [*found.rules, *(rule for tests in found.tests for rule in tests.rules)]
    covered = coverage.coverage(rules, [outcome for file in outcomes for outcome in file.outcomes])
    if told:
        for line in coverage.text(covered):
            click.echo(visible(line))
    if least is not None and covered.percent < least:
        named = count(len(covered.never_firing), "rule")
        tell(
            [f"{covered.percent:.1f} % of the rules fire in some test, less than {least:g} %: {named} do not"]
        )
        return False
    return True
