"""Reading the page, looking for faults on it, and saying what is going on."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest

from clustersight.demo.drill import Act
from clustersight.demo.faults import LATER, Fault, check, faults
from clustersight.demo.once import report_of
from clustersight.demo.progress import ERASE_LINE, Progress
from clustersight.demo.series import parse
from clustersight.panels import ALL
from clustersight.rules import pack


def test_labels_with_everything_in_them() -> None:
    value = 'a"b\\c\nd} # {e="f", 1\u2028é'
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    page = f'# HELP x text\n# TYPE x gauge\nx{{table="{escaped}",empty=""}} 2.5\n\ny 1 1700000000000\n'
    first, second = parse(page)
    assert (first.name, first.labels, first.value) == ("x", {"table": value, "empty": ""}, 2.5)
    assert (second.name, second.labels, second.value) == ("y", {}, 1)


def test_values_that_are_no_decimal_numbers() -> None:
    values = [series.value for series in parse("a NaN\na +Inf\na -Inf\na 1e3\n")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1000]


@pytest.mark.parametrize("line", ["<html>", 'a{b="c" 1', "a", "a b"])
def test_what_is_no_page_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        list(parse(line))


@pytest.mark.parametrize(
    ("line", "ok"),
    [
        ('m{cluster="demo",table="t"} 1', True),
        ('m{table="t"} 0.99', False),
        ('m{table="other"} 1', False),
        ("m 1", False),
        ('n{table="t"} 1', False),
        ('m{table="t"} NaN', False),
    ],
)
def test_a_fault_is_seen(line: str, ok: bool) -> None:
    [result] = check([Fault("a fault", "m", {"table": "t"})], list(parse(line)))
    assert result.ok is ok
    assert result.text == (
        f"ok      a fault: {line}" if ok else 'FAILED  a fault: no m{table="t"} of at least 1'
    )


def test_faults_are_looked_for_in_metrics_that_exist() -> None:
    names = {metric.name for panel in ALL for metric in panel.metrics}
    assert {fault.metric for fault in (*faults(zookeeper=True), LATER)} <= names


def test_faults_name_rules_that_exist() -> None:
    names = {rule.name for rule in pack.built_in().rules}
    assert {fault.alert for fault in (*faults(zookeeper=True), LATER)} - {""} <= names


def test_a_panel_that_did_not_run_or_failed_is_not_ok() -> None:
    status = 'clustersight_panel_status{{panel="{}",status="{}"}} 1'
    well = [status.format(panel.name, "ok") for panel in ALL]
    found = report_of(list(parse("\n".join(well))), [])
    acts = (Act("an alert fired", "yes"), Act("it resolved", "never", ok=False))
    assert replace(found, api="a score", acts=acts[:1]).ok
    assert not replace(found, api="a score", acts=acts).ok
    assert not replace(found, api="a score").ok
    assert not found.collected
    assert replace(found, acts=acts).text.endswith("ok      an alert fired: yes\nFAILED  it resolved: never")
    assert "FAILED  the API" in found.text
    for bad in ("timeout", "unsupported"):
        page = [*well[1:], status.format(ALL[0].name, bad)]
        report = replace(report_of(list(parse("\n".join(page))), []), api="a score")
        assert not report.collected
        assert f"FAILED  panels: {ALL[0].name}" in report.text
    assert not replace(report_of(list(parse("\n".join(well[1:]))), []), api="a score").collected


def test_progress_in_a_log_is_whole_lines() -> None:
    out = io.StringIO()
    with Progress(out).stage("thinking"):
        pass
    with pytest.raises(KeyError), Progress(out).stage("breaking"):
        raise KeyError
    first, second = out.getvalue().splitlines()
    assert first.startswith("thinking ... 0.")
    assert second.startswith("breaking ... failed after 0.")


def test_progress_on_a_terminal_moves() -> None:
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    with Progress(out).stage("thinking"):
        pass
    assert out.getvalue().startswith(f"{ERASE_LINE}thinking |")
    assert out.getvalue().split(ERASE_LINE)[-1].startswith("thinking ... 0.")


def test_progress_survives_a_closed_pipe() -> None:
    out = io.StringIO()
    progress = Progress(out)
    out.close()
    with progress.stage("thinking"):
        pass
