from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from clustersight.metrics import Kind, Metric, Sample
from exporter.exposition import header, number, render

LAG = Metric("clickhouse_replica_lag_seconds", "Lag.", ("database", "table"))
EVENTS = Metric("clickhouse_errors_total", 'Errors; a "quote" and a \\ in help.', ("error",), Kind.COUNTER)
OF_CLUSTER = Metric("clickhouse_version_mismatch", "Versions differ.", cluster_only=True)

# Everything that UTF-8 can hold; NUL is shown as text, so it does not come back as itself.
hostile = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=40)


def page(metric: Metric, samples: list[Sample], cluster: str = "c", host: str = "h") -> str:
    lines = render(samples, cluster, host)
    return (header(metric) + "".join(lines.get(metric, [])).encode()).decode()


@given(hostile, hostile, hostile, hostile, st.floats(allow_nan=False))
def test_any_name_and_value_come_back_from_a_parser(
    cluster: str, host: str, database: str, table: str, value: float
) -> None:
    text = page(LAG, [Sample(LAG, (database, table), value)], cluster, host)

    (family,) = text_string_to_metric_families(text)
    (sample,) = family.samples
    assert sample.labels == {"cluster": cluster, "host": host, "database": database, "table": table}
    assert sample.value == value


def test_a_nul_does_not_end_the_page() -> None:
    text = page(LAG, [Sample(LAG, ("a\0b", "t"), 1.0)])

    assert "\0" not in text
    assert 'database="a\\\\0b"' in text


def test_a_family_of_the_cluster_has_no_host() -> None:
    assert page(OF_CLUSTER, [Sample(OF_CLUSTER, (), 1.0)]).endswith('mismatch{cluster="c"} 1\n')


def test_help_and_type_are_stated_and_escaped() -> None:
    assert header(EVENTS) == (
        b'# HELP clickhouse_errors_total Errors; a "quote" and a \\\\ in help.\n'
        b"# TYPE clickhouse_errors_total counter\n"
    )


@given(st.floats())
def test_a_number_reads_back_as_itself(value: float) -> None:
    read = float(number(value)) if not math.isnan(value) else value

    assert read == value or math.isnan(value)


def test_whole_numbers_are_short() -> None:
    assert (number(3.0), number(0.0), number(1e14), number(float("inf"))) == (
        "3",
        "0",
        "100000000000000",
        "+Inf",
    )
