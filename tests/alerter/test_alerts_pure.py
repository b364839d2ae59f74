"""The pure parts: planning, batching, inhibition, pace and the timetable, by properties and by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerter.schedule import Timetable
from clustersight.alerts.batching import MOST_MESSAGES, Waiting, next_batch, refused
from clustersight.alerts.inhibition import Sources, place_of
from clustersight.alerts.instance import Instance, Phase, false_now, fingerprint, holds, true_now
from clustersight.alerts.pace import BURST, MOST_BACKOFF_SECONDS, Bucket, backoff, full
from clustersight.alerts.planning import Decision, Standing, Told, decide, on_resolve
from clustersight.notify.digest import fits
from clustersight.notify.notice import Form, Notice, NoticeKind
from clustersight.rules.rule import Operator, Rule
from clustersight.settings.notify import Severity

W, C = Severity.WARNING, Severity.CRITICAL
severities = st.sampled_from(Severity)


def rule(**fields: object) -> Rule:
    return Rule(
        **{
            "name": "R",
            "metric_key": "disk.usage_pct",
            "operator": Operator.ABOVE,
            "threshold": 80.0,
            **fields,
        }  # type: ignore[arg-type]
    )


def instance(value: float, now: float) -> Instance:
    return Instance("cl", "h", (), Phase.PENDING, now, value)


# -- life ----------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 30), st.floats(0, 100))),
    st.integers(0, 60),
    st.integers(0, 60),
    st.one_of(st.none(), st.floats(0, 80)),
)
def test_it_fires_only_after_for_and_ends_only_after_keep_firing_for(
    steps: list[tuple[int, float]], for_sec: int, keep_sec: int, resolve: float | None
) -> None:
    one = rule(for_sec=for_sec, keep_firing_for_sec=keep_sec, resolve_threshold=resolve)
    known, now, true_since, calm_since = None, 0.0, None, None
    for seconds, value in steps:
        now += seconds
        before = known
        firing = before is not None and before.phase is Phase.FIRING
        if holds(one, value, before):
            true_since = now if true_since is None else true_since
            calm_since = None
            known = true_now(one, before, instance(value, now))
            expected = firing or now - true_since >= for_sec
            assert (known.phase is Phase.FIRING) is expected
        else:
            true_since = true_since if firing else None
            calm_since = now if calm_since is None else calm_since
            known = false_now(one, before, value, now) if before is not None else None
            assert (known is not None) is (firing and keep_sec > 0 and now - calm_since < keep_sec)
            if known is None:
                true_since = calm_since = None


@given(
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3, unique_by=lambda pair: pair[0]),
    st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=3, unique_by=lambda pair: pair[0]),
)
def test_different_labels_have_different_fingerprints(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    a, b = tuple(sorted(one)), tuple(sorted(other))
    assert (fingerprint("c", "h", a) == fingerprint("c", "h", b)) is (a == b)


# -- planning ------------------------------------------------------------------------------------------


@given(severities, st.booleans(), st.integers(0, 100), st.one_of(st.none(), severities), st.integers(0, 200))
def test_what_is_quiet_is_never_sent(
    severity: Severity, acknowledged: bool, cooldown: int, before: Severity | None, now: int
) -> None:
    decision = decide(Standing(severity, acknowledged, quiet=True, cooldown_sec=cooldown), Told(before), now)
    assert decision.kind is None


def standing(severity: Severity = W, *, acknowledged: bool = False, cooldown: float = 60) -> Standing:
    return Standing(severity, acknowledged, quiet=False, cooldown_sec=cooldown)


def test_decisions() -> None:
    assert decide(standing(), Told(), 0) == Decision(NoticeKind.FIRING)
    assert decide(standing(acknowledged=True), Told(), 0) == Decision()
    assert decide(standing(), Told(W, at=0), 59) == Decision()
    assert decide(standing(), Told(W, at=0), 60) == Decision(NoticeKind.REPEAT)
    assert decide(standing(acknowledged=True), Told(W, at=0), 60) == Decision()
    assert decide(standing(C), Told(W, at=0), 1) == Decision(NoticeKind.RISE)
    assert decide(standing(C, acknowledged=True), Told(W, at=0), 1) == Decision(NoticeKind.RISE)
    assert decide(standing(W), Told(C, at=0), 1) == Decision()
    waiting = Told(waiting=NoticeKind.FIRING, waiting_severity=W, waiting_id=1)
    assert decide(standing(), waiting, 99) == Decision()
    assert decide(standing(C), waiting, 99) == Decision(NoticeKind.FIRING, withdraw=True)
    assert decide(standing(acknowledged=True), waiting, 99) == Decision(withdraw=True)


def test_after_giving_up_the_next_try_waits_for_the_cooldown() -> None:
    assert decide(standing(), Told(at=0, given_up=True), 59) == Decision()
    assert decide(standing(), Told(at=0, given_up=True), 60) == Decision(NoticeKind.FIRING)


def test_who_was_never_told_is_not_told_of_the_end() -> None:
    assert on_resolve(Told()) == (Decision(), False)
    assert on_resolve(Told(W)) == (Decision(NoticeKind.RESOLVED), False)
    waiting = Told(waiting=NoticeKind.FIRING, waiting_severity=W, waiting_id=1)
    assert on_resolve(waiting) == (Decision(NoticeKind.RESOLVED, withdraw=True), True)


# -- batching ------------------------------------------------------------------------------------------

notices = st.builds(
    Notice,
    kind=st.sampled_from(NoticeKind),
    summary=st.text(max_size=20),
    rule_name=st.sampled_from(["A", "B", "C"]),
    cluster=st.sampled_from(["x", "y"]),
    value=st.one_of(st.none(), st.floats(0, 100)),
    grouped=st.booleans(),
)


@given(st.lists(notices, max_size=60), st.sets(st.integers(0, 59)))
def test_every_row_goes_out_once_and_in_order_of_its_bundle(some: list[Notice], alone: set[int]) -> None:
    waiting = [Waiting(n, notice, alone=n in alone) for n, notice in enumerate(some)]
    sent: list[int] = []
    while (batch := next_batch(waiting, fits)) is not None:
        ids = {row.id for row in batch.rows}
        assert ids
        if batch.form is Form.SINGLE:
            assert len(ids) == 1
        if batch.plain:
            assert all(row.alone for row in batch.rows)
        sent += sorted(ids)
        waiting = [row for row in waiting if row.id not in ids]
    assert sorted(sent) == list(range(len(some)))


def test_a_backlog_of_more_than_twenty_messages_is_a_digest() -> None:
    def backlog(number: int) -> list[Waiting]:
        return [
            Waiting(n, Notice(kind=NoticeKind.FIRING, summary="s", rule_name=f"R{n}")) for n in range(number)
        ]

    single, digest = next_batch(backlog(MOST_MESSAGES), fits), next_batch(backlog(MOST_MESSAGES + 1), fits)
    assert single is not None
    assert single.form is Form.SINGLE
    assert digest is not None
    assert digest.form is Form.DIGEST
    assert len(digest.rows) == MOST_MESSAGES + 1


def test_what_was_asked_for_goes_ahead_of_all() -> None:
    waiting = [Waiting(n, Notice(kind=NoticeKind.REPEAT, summary="s", rule_name=f"R{n}")) for n in range(50)]
    waiting.append(Waiting(99, Notice(kind=NoticeKind.ESCALATED, summary="s", rule_name="R1")))
    batch = next_batch(waiting, fits)
    assert batch is not None
    assert [row.id for row in batch.rows] == [99]


def test_a_group_shows_its_worst_first() -> None:
    rows = [
        Waiting(n, Notice(kind=NoticeKind.FIRING, summary="s", rule_name="R", value=float(n), grouped=True))
        for n in range(30)
    ]
    batch = next_batch(rows, fits)
    assert batch is not None
    assert (batch.form, batch.rows[0].id, len(batch.rows)) == (Form.GROUP, 29, 30)


def test_a_refused_row_goes_alone() -> None:
    row = Waiting(1, Notice(kind=NoticeKind.FIRING, summary="s"))
    batch = next_batch([refused(row), Waiting(2, Notice(kind=NoticeKind.FIRING, summary="s"))], fits)
    assert batch is not None
    assert (batch.plain, [row.id for row in batch.rows]) == (True, [1])


# -- inhibition ----------------------------------------------------------------------------------------

places = st.builds(
    place_of,
    st.sampled_from(["c1", "c2"]),
    st.sampled_from(["", "h1", "h2"]),
    st.dictionaries(st.sampled_from(["database", "table", "disk"]), st.sampled_from(["a", "b"])),
)


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), places), max_size=8), places)
def test_an_inhibitor_is_equal_in_every_label_that_both_have(
    firing: list[tuple[str, tuple[tuple[str, str], ...]]], target: tuple[tuple[str, str], ...]
) -> None:
    def equal(source: tuple[tuple[str, str], ...]) -> bool:
        own, other = dict(target), dict(source)
        return all(own[name] == other[name] for name in own.keys() & other.keys())

    for wanted in (("A",), ("B",), ("A", "B")):
        expected = [name for name in wanted if any(rule == name and equal(place) for rule, place in firing)]
        assert Sources(firing).inhibitor(wanted, target) == (expected[0] if expected else None)


# -- pace ----------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 3), max_size=100))
def test_never_more_than_one_a_second_beyond_the_burst(waits: list[float]) -> None:
    bucket, now, sent = full(0.0, idle_seconds=1e9), 0.0, 0
    for seconds in waits:
        now += seconds
        if bucket.wait(now) == 0:
            bucket.take(now)
            sent += 1
        assert sent <= BURST + now + 1e-6


def test_a_restart_gives_no_second_burst() -> None:
    assert full(0.0, idle_seconds=0.0).wait(0.0) == 1.0
    assert Bucket(0.0, 0.0).wait(0.5) == 0.5


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_failure_waits_longer_each_time_up_to_five_minutes(failures: int, chance: float) -> None:
    seconds = backoff(failures, lambda: chance)
    assert 0.5 <= seconds <= MOST_BACKOFF_SECONDS
    assert backoff(1, lambda: 1.0) == 1.0


# -- timetable -----------------------------------------------------------------------------------------


def test_a_pass_that_takes_too_long_is_counted_and_not_caught_up() -> None:
    table = Timetable()
    table.follow({"r": rule()}, 10)
    assert table.due(100.0) == [10]
    table.done(10, 100.0)
    assert table.due(109.0) == []
    assert table.due(110.0) == [10]
    table.done(10, 135.0)
    assert (table.missed, table.due(139.0), table.due(140.0)) == (2, [], [10])


def test_groups_have_beats_of_their_own_and_keep_them_over_a_reload() -> None:
    table = Timetable()
    table.follow({"a": rule(), "b": rule(interval_sec=3)}, 10)
    assert table.rules == {10: ("a",), 3: ("b",)}
    for interval in table.due(100.0):
        table.done(interval, 100.0)
    table.follow({"a": rule(), "c": rule(interval_sec=3)}, 10)
    assert table.due(102.0) == []
    assert table.due(103.0) == [3]


def test_a_storm_of_a_grouped_rule_is_one_message_also_within_a_backlog() -> None:
    def row(number: int, rule_name: str, *, grouped: bool) -> Waiting:
        notice = Notice(kind=NoticeKind.FIRING, summary="s", rule_name=rule_name, grouped=grouped)
        return Waiting(number, notice)

    rows = [row(n, "Storm", grouped=True) for n in range(500)]
    rows += [row(500 + n, f"R{n}", grouped=False) for n in range(40)]
    first = next_batch(rows, fits)
    assert first is not None
    assert (first.form, len(first.rows)) == (Form.GROUP, 500)
    second = next_batch(rows[500:], fits)
    assert second is not None
    assert (second.form, len(second.rows)) == (Form.DIGEST, 40)
