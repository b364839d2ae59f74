"""The built-in pack: every rule of the specification, explained, tested, and with a fix that works."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clustersight.cli import main
from clustersight.clickhouse.connection import Address, Wire
from clustersight.metric_keys import metric_keys
from clustersight.metrics import Metric
from clustersight.panels import ALL, mutations
from clustersight.panels.errors import CAPACITY, CORRUPTION
from clustersight.panels.unfinished_mutations import Mutation
from clustersight.rules import templates
from clustersight.rules.loader import load
from clustersight.rules.rule import Rule
from clustersight.rules.templates import Variable
from tests.panels.visiting import run_until
from tests.servers.embedded import EmbeddedError, EmbeddedServer

ROOT = Path(__file__).parents[2]
PACK = ROOT / "config" / "rules"
TESTS = PACK / "tests"
# spec/rules.md, and what was added since.
NAMES = {
    "CollectionStale", "NodeDown", "ReplicationLag", "ReplicationLagCritical", "ReplicaReadonly",
    "ReplicaSessionExpired", "ReplicationQueueStuck", "PartsPressure", "PartsPressureCritical",
    "PartsTotalPressure", "InsertsDelayed", "InsertsRejected", "DiskUsage", "DiskUsageCritical", "DiskBroken",
    "MutationStuck", "MutationFailing", "BrokenParts", "MergeStuck", "KeeperOffline", "KeeperNodeDown",
    "KeeperExceptions", "CriticalErrors", "CapacityErrors", "FailedQueries", "SlowQueries", "MemoryPressure",
    "ServerRestarted", "VersionMismatch", "HealthScoreLow", "KeeperQuorumLost", "RestartLoop",
    "QueriesRefused", "ClockSkew", "ReplicatedDataLoss", "DiskWillFill", "DiskWillFillCritical",
    "InterserverFailing", "MonitorIsolated", "ShardDown", "MutationsMany",
    "PartsCreatedFasterThanMerged", "SmallInserts", "MergePoolSaturated", "AsyncInsertsFailing",
    "TableLoadFailed",
    "DistributionBacklog", "DistributionBlocked", "DistributionGrowing", "DistributionBroken",
    "DictionaryFailing", "DictionaryStale", "ViewRefreshFailing", "KafkaConsumerFailing",
    "DdlQueueStuck", "BackupStale", "BackupFailed",
}  # fmt: skip
# The question of its fix needs the worker of DDL, which the embedded engine has not: NO_ELEMENTS_IN_CONFIG.
NO_DDL_WORKER_CODE = 139
# Their `host` is the ClickHouse node that is configured, not the Keeper that they speak of.
OF_KEEPER = {"KeeperNodeDown", "KeeperQuorumLost"}
# The columns of the rows of those panels whose rows a text names.
COLUMNS = {mutations.NAME: {field.name for field in dataclasses.fields(Mutation)}}

LOADED = load([PACK])
RULES = {rule.name: rule for rule in LOADED.rules}
each = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")


def sections() -> dict[str, str]:
    """The runbook by the rules that are its headings; what comes after them has more words."""
    _, *parts = re.split(r"^## (\w+)\n", RUNBOOK.partition("\n## Not provoked ")[0], flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_pack_is_whole_and_right() -> None:
    assert LOADED.problems == ()
    assert RULES.keys() == NAMES
    assert len(LOADED.rules) == len(NAMES)


def test_every_rule_has_its_section_in_the_runbook_and_every_section_its_rule() -> None:
    assert sections().keys() == RULES.keys()


@each
def test_its_section_says_everything(rule: Rule) -> None:
    section = sections()[rule.name]
    for part in ("**Means.**", "**Look.**", "**Repair.**", "**False alarm.**", "**Silences**"):
        assert part in section
    assert rule.metric_key in section
    silent = section.partition("**Is silent** while ")[2]
    assert set(re.findall(r"\b[A-Z]\w+\b", silent)) == set(rule.inhibited_by)


@each
def test_a_node_that_is_down_silences_it(rule: Rule) -> None:
    source = metric_keys()[rule.metric_key].source
    of_cluster = isinstance(source, Metric) and source.cluster_only
    if rule.name in {"NodeDown", "HealthScoreLow"}:
        return
    assert ("NodeDown" in rule.inhibited_by) == (not of_cluster and rule.name not in OF_KEEPER)


@each
def test_what_it_names_is_there(rule: Rule) -> None:
    assert set(rule.inhibited_by) <= RULES.keys()
    assert rule.name.endswith("Critical") == (rule.raises is not None)
    if rule.raises is not None:
        assert rule.raises == rule.name.removesuffix("Critical")
        assert (rule.severity, RULES[rule.raises].severity) == ("critical", "warning")


def test_error_names_are_those_of_the_score() -> None:
    assert RULES["CriticalErrors"].match == {"error": tuple(CORRUPTION.values())}
    assert RULES["CapacityErrors"].match == {"error": tuple(CAPACITY.values())}


@each
def test_columns_of_rows_are_those_of_its_panel(rule: Rule) -> None:
    known = COLUMNS.get(metric_keys()[rule.metric_key].panel, set())
    texts = (rule.summary, rule.description, rule.fix or "")
    tags = [tag for text in texts for tag in templates.compile(text).tags]
    assert {tag.name for tag in tags if tag.variable is Variable.ROW} <= known


@each
def test_its_fix_says_where_and_is_all_quoted(rule: Rule) -> None:
    assert rule.summary
    assert len(rule.description) > 80
    assert rule.fix is not None
    # A comment of SQL, or of a shell where that is what the fix is for.
    assert rule.fix.startswith(("-- on ", "# on "))
    assert all(tag.quoted for tag in templates.compile(rule.fix).tags)


def test_its_tests_pass_and_cover_every_rule() -> None:
    """Each fires in one and is silent in another."""
    result = CliRunner().invoke(main, ["rules", "test", "--coverage", "--fail-under", "100", str(PACK)])
    assert result.exit_code == 0, result.output
    every = len(RULES)
    told = f"coverage: {every} of {every} rules fire in a test, {every} are silent in one"
    assert result.output.splitlines()[-1] == told
    assert result.output.count("SUCCESS") == len(list(TESTS.glob("*.yaml")))


def without_comments(fix: str) -> list[str]:
    """Its statements, as a client takes them."""
    text = re.sub(r"^--.*$", "", fix, flags=re.MULTILINE)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def statements(rule: Rule) -> list[str]:
    """The SQL of a fix, for a table whose name needs quoting; none where it is for a shell."""
    labels = dict.fromkeys(("cluster", "host", *metric_keys()[rule.metric_key].labels), "a'b`c")
    row = dict.fromkeys(COLUMNS[mutations.NAME], "a'b`c")
    text = templates.compile(rule.fix or "").render(labels, 1.0, row)
    return [] if ", in a shell" in text.partition("\n")[0] else without_comments(text)


@each
def test_its_fix_is_sql(rule: Rule, embedded: EmbeddedServer) -> None:
    for statement in statements(rule):
        embedded.execute(f"EXPLAIN AST {statement}")


@each
def test_what_investigates_can_be_asked(rule: Rule, embedded: EmbeddedServer) -> None:
    # The log is there once something was logged.
    embedded.execute("SELECT 1", log_queries=1)
    embedded.execute("SYSTEM FLUSH LOGS")
    for statement in statements(rule):
        if statement.startswith("SELECT"):
            asked(embedded, statement)


def asked(server: EmbeddedServer, statement: str) -> None:
    try:
        server.execute(statement)
    except EmbeddedError as error:
        if error.code != NO_DDL_WORKER_CODE or "system.distributed_ddl_queue" not in statement:
            raise


def test_the_fix_of_a_failing_mutation_works_when_pasted(embedded: EmbeddedServer) -> None:
    name = "it's `odd`"
    table = "`it's \\`odd\\``.`t`"
    address = Address("127.0.0.1", embedded.port, Wire.HTTP)
    embedded.execute("CREATE DATABASE `it's \\`odd\\`` ENGINE = Atomic")
    try:
        embedded.execute(f"CREATE TABLE {table} (x Int64) ENGINE = MergeTree ORDER BY x")
        embedded.execute(f"INSERT INTO {table} VALUES (1)")
        embedded.execute(f"ALTER TABLE {table} DELETE WHERE throwIf(x = 1)", mutations_sync=0)
        row = failing_mutation(address, name)
        rule = RULES["MutationFailing"]
        labels = {"cluster": "c", "host": "h", "database": name, "table": "t"}
        fix = templates.compile(rule.fix or "").render(labels, 1.0, row)
        for statement in without_comments(fix):
            embedded.execute(statement)
        left = embedded.execute("SELECT count() FROM system.mutations WHERE NOT is_done")
    finally:
        embedded.execute("DROP DATABASE `it's \\`odd\\``")
    assert left == [[0]]


def failing_mutation(address: Address, database: str) -> dict[str, Any]:
    """Its row, once its first try has failed."""

    def rows(found: Any) -> list[dict[str, Any]]:
        every = mutations.PANEL.payload(found.rows)
        return [row for row in every if row["database"] == database and row["is_failing"]]

    return rows(run_until(address, mutations.PANEL, lambda found: bool(rows(found))))[0]


def test_every_panel_of_a_rule_is_there() -> None:
    panels = {panel.name for panel in ALL} | {"collector", "health-score"}
    assert {metric_keys()[rule.metric_key].panel for rule in RULES.values()} <= panels
