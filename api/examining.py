"""POST /clusters/test: a connection is tried, within the time that somebody waits for a form."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from api.context import Context
from api.resource import Shape
from clustersight.clickhouse import topology
from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.errors import (
    AccessDenied,
    ClickHouseError,
    TimedOut,
    TlsFailed,
    Unauthorized,
)
from clustersight.clickhouse.session import Session
from clustersight.commands.chosen_cluster import QUERY_SECONDS, Chosen
from clustersight.commands.errands import run_all
from clustersight.commands.examination import Examination, examine
from clustersight.panels import ALL, keeper_nodes
from clustersight.panels.panel import Status
from clustersight.settings.cluster import ClusterSettings

# spec/api.md: at most 10 s, of which some is ours.
SECONDS = 9.5


class FailureCode(StrEnum):
    """Why a connection failed."""

    UNREACHABLE = "clickhouse_unreachable"
    AUTHENTICATION = "authentication_failed"
    TLS = "tls_error"
    TIMEOUT = "timeout"
    PERMISSION = "permission_denied"


class Tested(Shape):
    """What was found; `code` says why nothing was."""

    success: bool
    message: str = Field(examples=["Connected successfully"])
    code: FailureCode | None = None
    clusters: list[str] = Field(default=[])
    keeper_nodes: list[str] = Field(default=[])
    version: str | None = None
    nodes: list[str] = Field(default=[])
    missing_grants: list[str] = Field(default=[])
    unsupported_panels: list[str] = Field(default=[])


_CODES: tuple[tuple[type[ClickHouseError], FailureCode], ...] = (
    (TlsFailed, FailureCode.TLS),
    (TimedOut, FailureCode.TIMEOUT),
    (Unauthorized, FailureCode.AUTHENTICATION),
    (AccessDenied, FailureCode.PERMISSION),
)


def examine_cluster(cluster: ClusterSettings, context: Context) -> Tested:
    """Everything that `clustersight cluster test` finds out, in what may be shown to a browser."""
    chosen = Chosen(cluster, context.settings)
    tested = run_all([lambda: _tested(examine(chosen, ALL, context.clock, lambda _: None))], SECONDS)[0]
    late = f"no answer within {SECONDS:g} s"
    return tested or Tested(success=False, message=late, code=FailureCode.TIMEOUT)


def _tested(found: Examination) -> Tested:
    return _failed(found) if found.error else _succeeded(found)


def _failed(found: Examination) -> Tested:
    kind = found.failure
    code = next((code for one, code in _CODES if isinstance(kind, one)), FailureCode.UNREACHABLE)
    advice = f"; {found.remedy}" if found.remedy else ""
    return Tested(success=False, message=found.error + advice, code=code)


def _succeeded(found: Examination) -> Tested:
    runs = {run.panel.name: run for run in found.runs}
    keeper = runs.get(keeper_nodes.NAME)
    return Tested(
        success=True,
        message="Connected successfully",
        clusters=_logical_clusters(found.address),
        keeper_nodes=[row["node"] for row in keeper.panel.payload(keeper.rows)] if keeper else [],
        version=found.able.version if found.able else None,
        nodes=[answer.node.host for answer in found.nodes],
        missing_grants=[grant.statement(found.address.username) for grant in found.missing],
        unsupported_panels=[name for name, run in runs.items() if run.status is Status.UNSUPPORTED],
    )


def _logical_clusters(address: Address) -> list[str]:
    """What system.clusters names; nothing where it may not be read, which missing_grants says."""
    session = Session(address)
    try:
        members = topology.read_members(session, QUERY_SECONDS)
    except ClickHouseError:
        return []
    finally:
        session.close()
    return sorted({member.cluster for member in members})
