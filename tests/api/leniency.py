"""What schemathesis must know of this API: SCHEMATHESIS_HOOKS=tests.api.leniency.

All its checks are on. A failure is dropped only where the contract wants the answer and JSON Schema cannot
say so; each such place stands here with its reason.
"""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis
from schemathesis.checks import CheckContext, ServerError
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData

from tests.api.answers import LEAKS

# The one cluster that answers; the run makes others, at hosts that are not there.
LIVE_CLUSTER = os.environ.get("LIVE_CLUSTER", "")

# Fields that may be refused although their schema is kept.
_OF_CLUSTERS = {
    "port": "an unusual one needs `protocol`",
    "ca_cert": "must be a certificate, not only text",
    "keeper_nodes": "ports end at 65535",
}
_OF_RULES = {
    "metric_key": "must be one of the catalogue's, which /alerts/rules/metrics lists",
    "match": "must name labels of the key",
    "cluster_ids": "must be clusters that are there",
    "resolve_threshold": "must lie on the side of the threshold that resolves",
    "summary": "is a template",
    "description": "is a template",
    "fix": "is a template whose values are quoted",
    "labels": "must not be those of the metric, and labels have letters, digits and _",
    "raises": "must be a rule that is there",
    "inhibited_by": "must be rules that are there",
    "sql": "must be a SELECT of a value",
}
REFUSED = {
    "POST /api/v1/clusters": _OF_CLUSTERS,
    "POST /api/v1/clusters/test": _OF_CLUSTERS,
    "PUT /api/v1/clusters/{cluster_id}": _OF_CLUSTERS,
    "POST /api/v1/alerts/rules": _OF_RULES,
    "PUT /api/v1/alerts/rules/{rule_id}": _OF_RULES,
    "POST /api/v1/silences": {
        "starts_at": "must be in this century",
        "ends_at": "must be later than starts_at and now, and exclude duration_minutes",
        "matchers": "values of =~ and !~ must be regular expressions that have an end",
    },
    "GET /api/v1/panels/health-score": {"at": "must be a time, with as many days as its month has"},
    "PUT /api/v1/settings": {"slack_webhook_url": "must be a URL beyond this network"},
}
# In any text: a pattern for each would say it forty times.
NUL = "must not hold the character NUL"
# Codes that do not speak of the request.
BY_CONTRACT = {
    "POST /api/v1/settings/test-notification": {"no_channel"},
    "POST /api/v1/alerts/{alert_id}/escalate": {"no_channel"},
    # A hash that /queries/slow answered may be of a query that EXPLAIN must not run.
    "POST /api/v1/queries/explain": {"not_explainable"},
    # A week of the log of a server that other tests keep busy.
    "GET /api/v1/queries/slow": {"too_expensive"},
    "GET /api/v1/queries/failed": {"too_expensive"},
}
# What needs a channel, where no URL beyond this network may be asked, and hashes, which nobody guesses.
NEVER_GOOD = {
    "POST /api/v1/alerts/{alert_id}/escalate",
    "POST /api/v1/settings/test-notification",
    "POST /api/v1/queries/explain",
}


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Whether it is one."""
    if isinstance(failure, RejectedPositiveData):
        return not is_refused_by_contract(case.operation.label, response)
    if isinstance(failure, ServerError):
        return not is_of_a_cluster_that_is_not_there(case, response)
    return True


def is_refused_by_contract(operation: str, response: Response) -> bool:
    error = error_of(response)
    if error["code"] in BY_CONTRACT.get(operation, ()) or error["message"].endswith(NUL):
        return True
    fields = {detail["path"].partition(".")[0] for detail in error["detail"] or ()}
    return error["code"] == "validation_error" and bool(fields) and fields <= set(REFUSED.get(operation, ()))


def is_of_a_cluster_that_is_not_there(case: Case, response: Response) -> bool:
    """503 clickhouse_unreachable is then the right answer; the live one must never get it."""
    told = error_of(response)["code"] == "clickhouse_unreachable"
    return told and (case.query or {}).get("cluster_id") not in (None, LIVE_CLUSTER)


def error_of(response: Response) -> dict[str, Any]:
    return dict(json.loads(response.content)["error"])


@schemathesis.check
def tells_nothing_of_the_machine(_context: CheckContext, response: Response, _case: Case) -> None:
    """No failure may."""
    if response.status_code >= 400:
        assert not LEAKS.search(response.content.decode())


@schemathesis.check
class EveryOperationWorked:
    """A run that is refused everywhere shows nothing."""

    def __init__(self) -> None:
        self.tested: set[str] = set()
        self.good: set[str] = set()

    def after_response(self, _context: CheckContext, response: Response, case: Case) -> None:
        self.tested.add(case.operation.label)
        if response.status_code < 300:
            self.good.add(case.operation.label)

    def after_run(self, _context: CheckContext) -> None:
        assert self.tested - self.good <= NEVER_GOOD, sorted(self.tested - self.good - NEVER_GOOD)
