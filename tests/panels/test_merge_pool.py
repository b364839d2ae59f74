"""A pool for merges and mutations that is really full."""

from __future__ import annotations

from clustersight.clickhouse.sql import literal
from clustersight.panels.server import PANEL
from tests.panels.tables import address_of, database, make_table
from tests.panels.visiting import run_until, values
from tests.servers.embedded import EmbeddedServer

POOL = ("clickhouse_merge_pool_saturation_ratio",)
# More parts than the eight threads of the pool (background_pool_size 4, twice that many tasks).
PARTS = 12


def test_a_full_pool_is_saturated(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = make_table(embedded, (db, "t"), "number_of_free_entries_in_pool_to_execute_mutation = 0")
        embedded.execute(
            f"INSERT INTO {quoted} (d, a) SELECT addMonths(toDate('2020-01-01'), number), 1"
            f" FROM numbers({PARTS})"
        )
        embedded.execute(
            f"ALTER TABLE {quoted} UPDATE s = toString(sleepEachRow(1)) WHERE 1", mutations_sync=0
        )
        try:
            found = run_until(address_of(embedded), PANEL, lambda one: values(one).get(POOL) == 1)
        finally:
            embedded.execute(f"KILL MUTATION WHERE database = {literal(db)}")
    assert values(found)[POOL] == 1
    assert PANEL.payload(found.rows)[0]["merge_pool_saturation_pct"] == 100
    assert values(run_until(address_of(embedded), PANEL, lambda one: values(one)[POOL] == 0))[POOL] == 0
