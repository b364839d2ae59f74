"""Messages for Slack: what they say, and that they keep its limits whatever the names are."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustersight.notify import blocks, digest
from clustersight.notify.limits import MESSAGE_SIZE
from clustersight.notify.notice import Form, Links, Message, Notice, NoticeKind
from clustersight.notify.rendering import payload, plain_payload, plain_text
from clustersight.settings.notify import Severity
from grafana.boards import ALL as BOARDS
from tests.notify.messages import FIRED_AT, many, message, notice, resolved
from tests.servers.slack import problem_of, texts, units

RED, YELLOW, GREEN = "#d0342c", "#e8a317", "#2eb67d"


def whole(told: Message) -> str:
    """All that a message says, as a reader sees it."""
    return html.unescape("\n".join(texts(payload(told))))


def colour(told: Message) -> str:
    return str(payload(told)["attachments"][0]["color"])


def test_a_message_of_one_alert_says_everything() -> None:
    found = payload(message())
    assert problem_of(found) == ""
    assert found["text"] == (
        "[CRITICAL] MutationFailing on prod/ch-1 shop.orders: A mutation of shop.orders fails"
    )
    assert found["blocks"][0]["text"]["text"] == "[CRITICAL] MutationFailing"
    told = whole(message())
    for part in (
        "A mutation of shop.orders fails\nEvery try ends with the same exception.",
        "*Cluster:* `prod`\n*Host:* `ch-1`\n*Table:* `shop.orders`\n*Value:* 87.3 % > 85 %",
        "Firing since 2026-03-22 14:00:00 UTC (2 h 5 min)",
        "*Evidence*\n```\nmutation_id: mutation_7.txt\nparts_to_do: 3\n```",
        "*Fix*\n```\nKILL MUTATION WHERE database = 'shop' AND table = 'orders'\n```",
        "<https://docs.example/runbook#MutationFailing|Runbook>",
        "<https://grafana.example/d/clustersight-cluster?var-cluster=prod&var-host=ch-1|Grafana>",
        "<https://sight.example/api/v1/alerts/a-1|API>",
    ):
        assert part in told, part


def test_the_dashboards_that_messages_name_exist() -> None:
    assert {blocks.CLUSTER_BOARD, blocks.ALERTS_BOARD} <= {board.uid for board in BOARDS}


@pytest.mark.parametrize("name", ["a&b=c", "<!channel>", "a|b", "\udcff", "日本", ""])
def test_a_hostile_name_stays_within_the_link_to_its_dashboard(name: str) -> None:
    told = whole(message(notice(cluster=name, host=name)))
    (link,) = re.findall(r"<(https://grafana\.example[^>]*)\|Grafana>", told)
    query = parse_qs(urlsplit(link).query)

    shown = name.encode(errors="replace").decode()
    assert query == ({"var-cluster": [shown], "var-host": [shown]} if name else {})


def test_slack_shows_all_of_an_attachment() -> None:
    """More than five blocks are hidden behind "Show more"."""
    assert len(payload(message())["attachments"][0]["blocks"]) == 5


def test_links_are_there_when_they_are_set() -> None:
    bare = whole(message(notice(runbook_url=None), links=Links()))
    assert not re.search("Runbook|Grafana|API", bare)


def test_the_colour_tells_the_severity() -> None:
    assert colour(message()) == RED
    assert colour(message(notice(severity=Severity.WARNING))) == YELLOW
    assert colour(message(resolved())) == GREEN
    assert colour(message(resolved(), notice(severity=Severity.WARNING), form=Form.GROUP)) == YELLOW
    assert colour(message(notice(kind=NoticeKind.TEST))) not in {RED, YELLOW, GREEN}


def test_labels_are_told_beside_the_table() -> None:
    told = whole(message(notice(labels={"database": "d", "table": "t", "disk": "default"})))
    assert "`disk`: `default`" in told
    assert "`table`" not in told


def test_a_resolved_message_has_duration_and_last_value() -> None:
    told = whole(message(resolved(resolve_reason="node_removed")))
    assert "[RESOLVED] MutationFailing" in told
    assert "*Last value:* 84 % (fires at > 85 %)" in told
    assert "(2 h 5 min): the node was removed" in told
    assert "KILL MUTATION" not in told + plain_text(message(resolved()))


def test_a_combined_message_names_both() -> None:
    told = message(resolved(untold=True))
    assert "Fired at 2026-03-22 14:00:00 UTC and resolved at" in whole(told)
    assert "fired and resolved" in payload(told)["text"]
    assert "fired and resolved" in plain_text(told)


def test_a_test_message_says_so_and_no_more() -> None:
    told = message(Notice(kind=NoticeKind.TEST, summary="Asked for by Ada"))
    assert problem_of(payload(told)) == ""
    assert "test message from ClusterSight" in whole(told)
    assert "Asked for by Ada" in whole(told)
    assert "Firing" not in whole(told)
    assert problem_of(payload(message(Notice(kind=NoticeKind.TEST, summary="")))) == ""


def test_a_group_shows_the_ten_worst() -> None:
    told = message(*many(14), resolved(host="calm"), form=Form.GROUP)
    found = whole(told)
    assert payload(told)["text"] == "[CRITICAL] MutationFailing: 15 alerts (14 critical, 1 resolved) in prod"
    assert "[CRITICAL] MutationFailing: 15 alerts\n" in found
    assert "15 alerts (14 critical, 1 resolved) of rule `MutationFailing` in cluster `prod`" in found
    for i in range(15):
        assert (f"events_by_customer_{i}`" in found) == (i < 10)
    assert "and 5 more" in found
    assert found.count("KILL MUTATION") == 1


def test_a_group_that_is_over_needs_no_fix() -> None:
    found = whole(message(resolved(), resolved(), form=Form.GROUP))
    assert "KILL" not in found
    assert "[RESOLVED]" in found


def test_a_digest_names_all_and_holds_many() -> None:
    notices = many(40) + tuple(resolved(labels={"database": "d", "table": f"over_{i}"}) for i in range(5))
    assert digest.fits(notices) == 45
    told = message(*notices, form=Form.DIGEST)
    found = whole(told)
    assert problem_of(payload(told)) == ""
    assert payload(told)["text"] == "[CRITICAL] 45 alerts (40 critical, 5 resolved)"
    assert all(f"events_by_customer_{i}`" in found for i in range(40))
    assert all(f"over_{i}`" in found for i in range(5))


def test_a_digest_of_too_many_is_not_refused() -> None:
    notices = many(500)
    number = digest.fits(notices)
    assert 40 <= number < 500
    told = message(*notices, form=Form.DIGEST)
    assert problem_of(payload(told)) == ""
    assert f"and {500 - number} more" in whole(told)


def test_one_alert_always_fits() -> None:
    assert digest.fits(()) == 1
    assert digest.fits((notice(rule_name="x" * 10**6),)) == 1


def test_a_fix_that_is_cut_says_so() -> None:
    long = "ALTER TABLE a DELETE WHERE x IN (" + "1, " * 5000 + "2)"
    told = whole(message(notice(fix=long)))
    assert "*Fix* (only its beginning: do not run it" in told
    assert "…\n```" in told
    assert "do not run" not in whole(message())


def test_an_id_cannot_leave_its_link() -> None:
    told = texts(payload(message(notice(alert_id="a/../b|<!channel>\ud83d"))))
    assert any("https://sight.example/api/v1/alerts/a%2F..%2Fb%7C%3C%21channel%3E%3F|API" in t for t in told)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x.example/a|b>c<d e", "<https://x.example/a%7Cb%3Ec%3Cd%20e|Runbook>"),
        ("https://x.example/?a=1&b=2", "<https://x.example/?a=1&amp;b=2|Runbook>"),
        ("javascript:alert(1)", "Runbook: `javascript:alert(1)`"),
        ("https://x.example/" + "y" * 2000, None),
    ],
)
def test_a_link_is_a_link_or_nothing(url: str, shown: str | None) -> None:
    found = texts(payload(message(notice(runbook_url=url))))
    assert any(shown in text for text in found) if shown else not any("Runbook" in text for text in found)


def test_plain_text_says_the_same_in_short() -> None:
    told = html.unescape(plain_text(message()))
    for part in (
        "[CRITICAL] MutationFailing on prod/ch-1 shop.orders",
        "87.3 % > 85 %",
        "KILL MUTATION",
        "API",
    ):
        assert part in told
    assert problem_of(plain_payload(message())) == ""


def test_a_plain_list_says_how_many_are_missing() -> None:
    told = plain_text(message(*many(100), form=Form.DIGEST))
    assert re.search(r"and \d+ more\Z", told)
    assert units(told) <= 3000


def test_many_labels_and_columns() -> None:
    names = {f"{i} {'<' * 300}": "&" * 300 for i in range(300)}
    told = message(notice(labels=names, evidence=names, description="<" * 9000, fix="<" * 9000))
    found = payload(told)
    assert problem_of(found) == ""
    assert sum(map(units, texts(found))) <= MESSAGE_SIZE
    assert len(re.findall(r"and \d+ more", whole(told))) == 2


def test_a_megabyte_of_name() -> None:
    huge = "<!channel>`😀\n" * 80_000
    one = notice(
        rule_name=huge, summary=huge, cluster=huge, fix=huge, labels={"table": huge, "database": huge}
    )
    for form in Form:
        found = payload(message(one, one, form=form))
        assert problem_of(found) == ""


HOSTILE = st.sampled_from(
    [
        *("<!channel>", "<@U123>", "<#C1|x>", "&lt;!here&gt;", "```", "`", "*", "\n", "\x00", "\ud83d", "😀"),
        *(
            "<https://evil.example|click>",
            "&",
            "<",
            ">",
            "\u202e",
            "x" * 5000,
            "<" * 5000,
            "`" * 5000,
            "😀" * 5000,
        ),
    ]
)
TEXT = st.lists(HOSTILE | st.text(max_size=20), max_size=6).map("".join)
VALUE = st.none() | st.floats()
NOTICES = st.builds(
    Notice,
    kind=st.sampled_from(NoticeKind),
    summary=TEXT,
    alert_id=TEXT,
    rule_name=TEXT,
    cluster=TEXT,
    host=TEXT,
    labels=st.dictionaries(TEXT | st.sampled_from(["database", "table"]), TEXT, max_size=40),
    severity=st.sampled_from(Severity),
    unit=st.sampled_from(["%", "seconds", "bytes", "ms", "0 or 1", "count", ""]) | TEXT,
    operator=st.sampled_from([">", "<=", "!="]),
    value=VALUE,
    threshold=VALUE,
    description=TEXT,
    runbook_url=st.none() | TEXT | TEXT.map("https://x.example/{}".format),
    fix=st.none() | TEXT,
    evidence=st.none() | st.dictionaries(TEXT, TEXT | VALUE | st.lists(TEXT, max_size=2), max_size=60),
    fired_at=st.floats(0, 1e12),
    resolved_at=st.none() | st.floats(0, 1e12),
    resolve_reason=st.none() | TEXT,
    untold=st.booleans(),
)
MESSAGES = st.builds(
    Message,
    id=st.just("m"),
    form=st.sampled_from(Form),
    notices=st.lists(NOTICES, min_size=1, max_size=12).map(tuple),
    links=st.builds(Links, st.none() | TEXT, st.none() | TEXT.map("https://y.example/{}".format)),
    sent_at=st.floats(0, 1e12),
)


@settings(deadline=None)
@given(MESSAGES)
def test_limits_hold_for_any_strings(told: Message) -> None:
    found = payload(told)
    assert problem_of(found) == ""
    assert sum(map(units, texts(found))) <= MESSAGE_SIZE
    for text in texts(found):
        check_markup(text)


@settings(deadline=None)
@given(MESSAGES)
def test_limits_hold_for_plain_text(told: Message) -> None:
    found: dict[str, Any] = plain_payload(told)
    assert problem_of(found) == ""
    assert units(found["text"]) <= 3000
    check_markup(found["text"])


def check_markup(text: str) -> None:
    """Links of ours are the only markup; entities are whole; code blocks are closed."""
    rest = re.sub(r"<https?://[^<>|\s]*\|(Runbook|Grafana|API)>", "", text)
    assert "<" not in rest
    assert ">" not in rest
    assert re.fullmatch(r"([^&]|&(amp|lt|gt);)*", rest, re.DOTALL)
    assert text.count("```") % 2 == 0
    text.encode("utf-8")


@settings(deadline=None)
@given(st.integers(1, 150), st.text("abcdefgh_", min_size=1, max_size=40))
def test_every_digest_names_all_alerts(number: int, name: str) -> None:
    notices = tuple(
        notice(kind=kind, labels={"database": name, "table": f"{name}_{i}"}, resolved_at=FIRED_AT)
        for i, kind in zip(range(number), [NoticeKind.FIRING, NoticeKind.RESOLVED] * 75, strict=False)
    )
    left = list(notices)
    named = ""
    while left:
        count = digest.fits(left)
        told = message(*left[:count], form=Form.DIGEST)
        assert problem_of(payload(told)) == ""
        named += whole(told)
        del left[:count]
    for i in range(number):
        assert f"{name}_{i}`" in named
