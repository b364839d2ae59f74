from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.clickhouse import sql
from clustersight.rules import templates
from clustersight.rules.quoting import ident, literal
from clustersight.rules.templates import FUNCTIONS, TemplateError
from clustersight.sql_text.tokens import Kind, tokens

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
PIPES = st.lists(st.sampled_from(sorted(FUNCTIONS)), max_size=3)
VALUES = [
    0, 1, -1, 0.5, -0.5, 59.99, 60, 999.99, 1000, 1023, 1024, 1500.5, 3661, 90061, 100000, 1e6, 1234567,
    -1234567, 123456789, 0.00012345, 1e-5, 1e8, 1048576, 1435065584.128, -3661.5, 9999.9, 1e18, 0.1, 1e-30,
]  # fmt: skip
SAME = (
    "humanize", "humanize1024", "humanizeDuration", "humanizePercentage", "humanizeTimestamp"
)  # fmt: skip


def render(text, labels=None, value=1.0, row=None):
    return templates.compile(text).render(labels or {}, value, row or {})


def test_numbers_are_written_as_prometheus_writes_them(promtool):
    """promtool renders our templates; its complaint that no alert was expected shows what it rendered."""
    annotations = "".join(f"      {name}: '{{{{ $value | {name} }}}}'\n" for name in SAME)
    rules = (
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n    annotations:\n"
        "      plain: '{{ $value }}'\n" + annotations
    )
    series = "".join(
        f"  - {{series: 'x{{n=\"{n}\"}}', values: '{value!r}'}}\n" for n, value in enumerate(VALUES)
    )
    tests = (
        "rule_files: [r.yml]\ntests:\n- interval: 1m\n  input_series:\n"
        + series
        + "  alert_rule_test: [{eval_time: 0m, alertname: A, exp_alerts: []}]\n"
    )
    said = promtool("test", "rules", "t.yml", r=rules, t=tests).stderr
    found = dict(re.findall(r'n="(\d+)"\}\s*Annotations:\{(.*)\}', said))
    assert len(found) == len(VALUES), said[:3000]
    for number, value in enumerate(VALUES):
        rendered = dict(re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', found[str(number)]))
        assert rendered.pop("plain") == render("{{ $value }}", value=value)
        for name, text in rendered.items():
            if text.startswith("<error"):
                assert render(f"{{{{ $value | {name} }}}}", value=value).startswith(
                    "<error expanding template: "
                )
            else:
                assert render(f"{{{{ $value | {name} }}}}", value=value) == text, (name, value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("", ""),
        ("{{ $labels.host }}", "db-1"),
        ("{{$labels.host|toUpper}}!", "DB-1!"),
        ("{{ $labels.word | title }} {{ $labels.word | toLower }}", "O'Neil FOO_bar o'neil foo_bar"),
        ("{{ $value | humanizePercent }}", "87.12%"),
        ("{{ $row.rows | humanize }}", "1.235M"),
        ("{{ $row.text | humanize }}", "1.5k"),
        ("{{ $row.flag }} {{ $row.ratio }}", "true 0.5"),
        ("{{ $labels.table | ident }}", "`a\\`b`"),
        ("{{ $labels.table | literal }}", "'a`b'"),
        ("{{ $labels.empty }}|", "|"),
        ("a }} b { { c", "a }} b { { c"),
        ("{{ $value | humanize | literal }}", "'87.12'"),
    ],
)
def test_what_is_rendered(text, wanted):
    labels = {"host": "db-1", "word": "o'neil FOO_bar", "table": "a`b", "empty": ""}
    row = {"rows": 1234567, "text": "1500", "flag": True, "ratio": 0.5, "none": None}
    assert render(text, labels, 87.123, row) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ $labels.disk }}", "there is no label 'disk'"),
        ("{{ $row.none }}", "there is no column in the row 'none'"),
        ("{{ $labels.host | humanize }}", "'db-1' is no number"),
        ("{{ $value | humanizeTimestamp }}", "is no time"),
    ],
)
def test_a_text_that_fails_says_so_and_the_alert_is_sent_all_the_same(text, reason):
    said = render(text, {"host": "db-1"}, 1e300, {"none": None})
    assert said.startswith("<error expanding template: ")
    assert reason in said


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("ab {{ $value", 3),
        ("{{ $value | humanise }}", 12),
        ("{{ $labl.x }}", 3),
        ("{{ $labels }}", 3),
        ("{{ $labels. }}", 3),
        ("{{ $value.x }}", 3),
        ("{{}}", 2),
        ("{{ humanize $value }}", 3),
        ("{{ $value + 1 }}", 10),
        ('{{ $value | printf "%d" }}', 12),
        ("{{- $value -}}", 2),
        ("{{ if $value }}x{{ end }}", 3),
        ("{{ $labels.a.b }}", 12),
        ("{{ $value }} {{ {{ $value }}", 16),
        ("{{ __import__('os') }}", 3),
    ],
)
def test_a_text_that_is_no_template_is_refused_where_it_begins_to_be_none(text, position):
    with pytest.raises(TemplateError) as refused:
        templates.compile(text)
    assert refused.value.position == position


@given(st.text(max_size=60))
def test_any_text_is_a_template_or_is_refused(text):
    refused = None
    try:
        templates.compile(text)
    except TemplateError as error:
        refused = error
    assert refused is None or 0 <= refused.position <= len(text)
    if "{{" not in text:
        assert render(text) == text


@given(
    st.sampled_from(["$value", "$labels.a", "$row.a", "$labels.b"]), PIPES,
    st.dictionaries(st.just("a"), st.text(max_size=20)), st.floats(), st.dictionaries(st.just("a"), SCALARS),
)  # fmt: skip
def test_rendering_never_raises(variable, pipes, labels, value, row):
    text = templates.compile("x {{ " + " | ".join([variable, *pipes]) + " }}").render(labels, value, row)
    assert text.startswith(("x ", "<error expanding template: "))


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_is_put_in_is_not_read_as_a_template(before, value):
    text = before.replace("{", "")
    assert render(text + "{{ $labels.a }}", {"a": value}) == text + value
    assert render("{{ $labels.a }}", {"a": "{{ $value }}"}) == "{{ $value }}"


@given(st.text())
def test_no_text_leaves_its_quotes(text):
    for quote, kind in ((literal, Kind.STRING), (ident, Kind.NAME)):
        quoted = quote(text)
        assert [(one.kind, one.complete) for one in tokens(quoted)] == [(kind, True)]
        # In a statement and after -- it is still one token, and the comment ends where it did.
        around = list(tokens(f"x = {quoted} ; -- on {quoted}\ny"))
        assert [one.kind for one in around if one.kind is not Kind.SPACE] == [
            Kind.WORD, Kind.OTHER, kind, Kind.OTHER, Kind.COMMENT, Kind.WORD,
        ]  # fmt: skip
        assert not re.search(r"[\x00-\x1f\x7f]", quoted)


@given(st.text(alphabet="`'\"\\\n\r\0a;-/*", max_size=12))
def test_it_is_quoted_as_the_panels_quote(text):
    """Theirs needs the driver of ClickHouse, which rules must not import."""
    assert (literal(text), ident(text)) == (sql.literal(text), sql.ident(text))


@pytest.mark.parametrize(
    "text", ["a'b", "a\\c", "`", "''", "``", "\n\0\t\r\x7f", "é-- */ ' OR 1", "\\'", "$a$", '"']
)
def test_a_server_reads_back_what_was_quoted(embedded, text):
    assert embedded.execute(f"SELECT hex({literal(text)})") == [[text.encode().hex().upper()]]
    assert embedded.execute(f"SELECT 1 -- {literal(text)} {ident(text)}\n+ 1") == [[2]]
    assert embedded.execute(f"DESCRIBE (SELECT 1 AS {ident(text)})")[0][0] == text
