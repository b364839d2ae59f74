from __future__ import annotations

import gzip
from collections.abc import Iterable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from clustersight.metrics import Kind, Metric, Sample
from exporter.page import IDLE_SECONDS, Format, Page, PieceKey

LAG = Metric("lag_seconds", "Lag.", ("database", "table"), alarming=300.0)
TOTAL = Metric("tables", "Tables.")
ERRORS = Metric("errors_total", "Errors.", ("error",), Kind.COUNTER)


class Hand:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def lags(count: int, worst: float = 0.0) -> list[Sample]:
    return [Sample(LAG, ("db", f"t{n}"), worst if n == count - 1 else 0.0) for n in range(count)]


def key(host: str = "h1", panel: str = "replication", cluster: str = "c") -> PieceKey:
    return PieceKey(cluster, host, panel)


def series(page: Page) -> dict[str, list[tuple]]:
    page.build()
    families = text_string_to_metric_families(page.latest().text.decode())
    return {
        f.name: [(s.labels.get("host"), s.labels.get("table"), s.value) for s in f.samples] for f in families
    }


def test_a_family_of_two_nodes_has_one_header(hand: Hand) -> None:
    page = Page(hand)
    page.put(key("h1"), [Sample(TOTAL, (), 1.0)])
    page.put(key("h2"), [Sample(TOTAL, (), 2.0)])
    page.build()

    text = page.latest().text.decode()

    assert text.count("# TYPE tables gauge") == 1
    assert series(page)["tables"] == [("h1", None, 1.0), ("h2", None, 2.0)]


def test_the_gzipped_page_is_the_page(hand: Hand) -> None:
    page = Page(hand, extra=lambda _: b"own 1\n")
    page.put(key(), lags(3))
    page.build()

    assert gzip.decompress(page.latest().gzipped) == page.latest().text
    assert page.latest().text.endswith(b"own 1\n")


def test_a_new_piece_replaces_the_old_one(hand: Hand) -> None:
    page = Page(hand)
    page.put(key(), lags(3))
    page.put(key(), [Sample(TOTAL, (), 1.0)])

    assert "lag_seconds" not in series(page)


def test_a_page_is_put_together_at_most_once_a_second(hand: Hand) -> None:
    page = Page(hand)
    page.put(key(), lags(1))
    first = page.latest()
    page.put(key(), lags(2))

    page.tick()
    hand.now += 0.5
    page.tick()
    assert page.latest() is first

    hand.now += 0.6
    page.tick()
    assert page.latest() is not first


def test_a_scrape_alone_puts_nothing_together(hand: Hand) -> None:
    page = Page(hand)
    page.put(key(), lags(1))
    first = page.latest()
    page.put(key(), lags(2))

    hand.now += 10

    assert page.latest() is first


def test_nobody_scrapes_so_nothing_is_put_together_until_somebody_does(hand: Hand) -> None:
    page = Page(hand)
    page.latest()
    hand.now += IDLE_SECONDS + 1
    page.put(key(), lags(1))
    page.tick()
    built_at = page.latest().built_at

    assert built_at == hand.now
    assert b"lag_seconds" in page.latest().text


def test_both_formats_say_the_same(hand: Hand) -> None:
    page = Page(hand, extra=lambda f: b"# EOF\n" if f is Format.OPENMETRICS else b"")
    page.put(key("h1"), [*lags(3, worst=7.5), Sample(ERRORS, ('quote " and \\ and \n',), 4.0)])
    page.put(key("h2"), lags(2))

    text = text_string_to_metric_families(page.latest().text.decode())
    openmetrics = openmetrics_families(page.latest(Format.OPENMETRICS).text.decode())

    def said(families: Iterable) -> set:
        return {(s.name, tuple(sorted(s.labels.items())), s.value) for f in families for s in f.samples}

    assert said(openmetrics) == said(text)


def test_a_format_that_nobody_asks_for_is_not_put_together(hand: Hand) -> None:
    made: list[Format] = []
    page = Page(hand, extra=lambda f: made.append(f) or b"")
    page.latest(Format.OPENMETRICS)
    page.put(key(), lags(1))
    hand.now += 2
    page.tick()

    assert made == [Format.OPENMETRICS, Format.OPENMETRICS]


def test_rows_beyond_the_cap_are_cut_and_counted(hand: Hand) -> None:
    page = Page(hand, max_rows_per_panel=3)

    cut = page.put(key(), [Sample(TOTAL, (), 10.0), *lags(10, worst=500)])

    shown = series(page)
    assert cut == 7
    assert page.dropped("c", "h1") == {"replication": 7}
    assert ("h1", "t9", 500.0) in shown["lag_seconds"]
    assert shown["tables"] == [("h1", None, 10.0)]


def test_the_whole_page_keeps_within_its_budget_and_keeps_the_worst(hand: Hand) -> None:
    page = Page(hand, max_series=12)
    for n in range(4):
        page.put(key(f"h{n}"), [Sample(TOTAL, (), 1.0), *lags(5, worst=100.0 * n)])

    shown = series(page)

    assert sum(map(len, shown.values())) == 12
    assert len(shown["tables"]) == 4
    assert {value for _, _, value in shown["lag_seconds"]} >= {100.0, 200.0, 300.0}
    assert sum(page.dropped("c", f"h{n}")["replication"] for n in range(4)) == 12


def test_what_was_cut_comes_back_when_there_is_room(hand: Hand) -> None:
    page = Page(hand, max_series=6)
    page.put(key("h1"), lags(5))
    page.put(key("h2"), lags(5))
    assert sum(map(len, series(page).values())) == 6

    page.forget("c", "h2")

    assert len(series(page)["lag_seconds"]) == 5


def test_a_series_once_exported_stays_for_an_hour(hand: Hand) -> None:
    page = Page(hand, max_rows_per_panel=1)
    page.put(key(), [Sample(LAG, ("db", "a"), 10.0), Sample(LAG, ("db", "b"), 0.0)])
    hand.now += 60
    page.put(key(), [Sample(LAG, ("db", "a"), 0.0), Sample(LAG, ("db", "b"), 20.0)])
    assert [table for _, table, _ in series(page)["lag_seconds"]] == ["a"]

    hand.now += 3600
    page.put(key(), [Sample(LAG, ("db", "a"), 0.0), Sample(LAG, ("db", "b"), 20.0)])
    assert [table for _, table, _ in series(page)["lag_seconds"]] == ["b"]


def test_one_failed_run_does_not_end_the_hour(hand: Hand) -> None:
    page = Page(hand, max_rows_per_panel=1)
    page.put(key(), [Sample(LAG, ("db", "a"), 10.0)])
    page.put(key(), [])
    page.put(key(), [Sample(LAG, ("db", "b"), 20.0), Sample(LAG, ("db", "a"), 0.0)])

    assert [table for _, table, _ in series(page)["lag_seconds"]] == ["a"]


def test_one_cluster_and_one_panel_can_be_asked_for(hand: Hand) -> None:
    page = Page(hand)
    page.put(key("h1"), lags(2))
    page.put(key("h1", panel="errors"), [Sample(ERRORS, ("E",), 1.0)])
    page.put(key("h9", cluster="other"), lags(2))

    assert b"h9" not in page.select("c", None)
    assert b"errors_total" in page.select("c", None)
    assert b"errors_total" not in page.select("c", "replication")
