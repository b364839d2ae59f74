"""Who does not get on with DDL ON CLUSTER, from the numbers of the servers alone."""

from __future__ import annotations

from clustersight.ddl_progress import BEHIND_SECONDS, Entries, Waiting, behind, waiting

STEP = 30.0


def after(*looks: dict[str, float], pushed: float = 0.0) -> tuple[str, ...]:
    """Who is behind after these looks, one a step; the last one is held until it counts."""
    known: dict[str, Waiting] = {}
    now = 0.0
    for look in looks:
        known = waiting(known, {host: Entries(at, pushed) for host, at in look.items()}, now)
        now += STEP
    known = waiting(known, {host: Entries(at, pushed) for host, at in looks[-1].items()}, now)
    return behind(known, (len(looks) - 1) * STEP + BEHIND_SECONDS)


def test_a_node_that_stays_behind() -> None:
    assert after({"a": 5, "b": 4}) == ("b",)
    assert after({"a": 5, "b": 0}) == ("b",)


def test_not_before_five_minutes() -> None:
    known = waiting({}, {"a": Entries(5), "b": Entries(4)}, 0.0)
    assert behind(known, BEHIND_SECONDS - 1) == ()
    assert behind(known, BEHIND_SECONDS) == ("b",)


def test_nodes_that_are_level_are_not_behind() -> None:
    assert after({"a": 5, "b": 5}) == ()
    assert after({"a": 0, "b": 0}) == ()


def test_a_busy_node_that_gets_on_is_not_behind() -> None:
    """One entry late all the time, but each goal is reached."""
    known: dict[str, Waiting] = {}
    for step in range(100):
        known = waiting(known, {"a": Entries(step + 1), "b": Entries(step)}, step * STEP)
        assert behind(known, step * STEP) == ()


def test_a_goal_stays_while_others_go_on() -> None:
    known: dict[str, Waiting] = {}
    for step in range(11):
        known = waiting(known, {"a": Entries(step + 1), "b": Entries(0)}, step * STEP)
    assert known["b"] == Waiting(1, 0.0)
    assert behind(known, 10 * STEP) == ("b",)


def test_all_are_behind_what_one_has_put_in() -> None:
    """Each worker hangs, so that none is ahead of another."""
    assert after({"a": 4, "b": 4}, pushed=5) == ("a", "b")


def test_a_queue_that_began_anew_has_new_goals() -> None:
    known = waiting({}, {"a": Entries(900), "b": Entries(5)}, 0.0)
    known = waiting(known, {"a": Entries(2), "b": Entries(1)}, 400.0)
    assert known == {"b": Waiting(2, 400.0)}


def test_who_is_gone_waits_no_more() -> None:
    known = waiting({}, {"a": Entries(5), "b": Entries(4)}, 0.0)
    assert waiting(known, {"a": Entries(5)}, 400.0) == {}
