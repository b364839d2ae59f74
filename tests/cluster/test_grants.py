"""The SQL that `clustersight cluster grants` prints, tried on the newest version."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from clustersight.clickhouse import grants
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.commands.cluster import cluster
from clustersight.panels import ALL
from tests.cluster.conftest import http, native
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import free_port

SHOW = "GRANT SHOW TABLES, SHOW DICTIONARIES ON *.* TO `clustersight_ro`;"


def printed(*arguments: str) -> Result:
    return CliRunner().invoke(cluster, ["grants", *arguments])


def code_of(server: EmbeddedServer, sql: str) -> int:
    try:
        server.execute(sql)
    except EmbeddedError as error:
        return error.code
    return 0


def test_standard_output_is_only_sql() -> None:
    result = printed()

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert all(re.match(r"(CREATE|GRANT) [^;]+;(  -- .*)?$", line) for line in lines)
    assert SHOW in lines
    assert "sha256sum" in result.stderr


def test_what_panels_read_is_granted_once_and_no_more() -> None:
    tables = re.findall(r"GRANT SELECT ON system\.(\w+) ", printed().stdout)

    read = {table for panel in ALL for table in panel.tables} | set(grants.OWN_TABLES)
    assert sorted(tables) == sorted(read - grants.FREE - grants.UNWISE)
    assert not {"tables", "columns", "databases", "one", "zookeeper"} & set(tables)


def test_the_newest_server_understands_every_line(embedded: EmbeddedServer) -> None:
    """It keeps no users, but it parses: whoever forgets the hash gets no account with a known password."""
    for line in printed("--on-cluster", "it's", "--user", "o`brien").stdout.splitlines():
        assert code_of(embedded, f"EXPLAIN AST {line}") in (0, 62), line
    codes = [code_of(embedded, line) for line in printed().stdout.splitlines()]

    # 497: the embedded engine's user may make no users; 511: there is no such user.
    assert set(codes) <= {497, 511}


def test_names_are_quoted() -> None:
    result = printed("--user", "o`brien; DROP USER x", "--on-cluster", "it's")

    assert result.stdout.count("TO `o\\`brien; DROP USER x`;") >= 3
    assert "ON CLUSTER `it's`" in result.stdout


def test_an_old_version_has_fewer_settings_and_an_older_one_xml() -> None:
    assert "log_queries_min_type" in printed("--version", "24.8").stdout
    assert "log_queries_min_type" not in printed("--version", "20.4").stdout
    old = printed("--version", "19.17")
    assert "<clustersight_ro>" in old.stdout
    assert "GRANT" not in old.stdout.replace("no GRANTs", "")


@pytest.mark.parametrize("version", ["new", "24", "24.8.x", "-1.2"])
def test_a_version_that_is_none(version: str) -> None:
    assert printed(f"--version={version}").exit_code == 2


def test_a_user_that_xml_cannot_name() -> None:
    result = printed("--version", "18.16", "--user", "a b")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot name a user before 20.4" in result.stderr


def test_live_only_tables_of_the_server(
    configured: Callable[..., list[str]], embedded: EmbeddedServer, replicas: list[ClickHouse18]
) -> None:
    new = printed("c", *configured(http(embedded.port)))
    old = printed("c", *configured(native(replicas[0].port)))

    assert SHOW in new.stdout
    assert "system.disks" in new.stdout
    assert "<yandex>" in old.stdout


def test_live_without_an_answer(configured: Callable[..., list[str]]) -> None:
    result = printed("c", *configured(native(free_port())))

    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


def able(**more: Any) -> Capabilities:
    columns = {"one": frozenset({"dummy"}), "parts": frozenset({"active"})}
    return Capabilities("24.3.1.1", "h", 1, 2, None, columns, **more)


def test_a_table_that_the_server_lacks_is_not_granted() -> None:
    found = grants.needed(["parts", "backups", "tables", "zookeeper"], able())

    assert [grant.target for grant in found] == ["*.*", "system.parts"]


def test_what_was_denied_is_taken_from_the_words_of_the_server() -> None:
    words = "default: Not enough privileges. … have the grant SELECT(active) ON system.parts."

    assert grants.denied(["metrics", "parts"], words) == [grants.select("parts")]
    assert grants.denied(["metrics", "parts", "tables"], "no") == [
        grants.select("metrics"),
        grants.select("parts"),
    ]
    assert grants.denied(["parts"], "rows are hidden: GRANT SHOW TABLES ON *.* TO x") == [grants.SHOW]


def test_a_price_is_told() -> None:
    (line,) = grants.statements([grants.select("query_log")], "u")

    assert line == "GRANT SELECT ON system.query_log TO `u`;  -- the texts of queries hold literals"
