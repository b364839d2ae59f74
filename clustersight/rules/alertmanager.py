"""What rules say of each other, as inhibit_rules of an Alertmanager that gets the exported rules (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import yaml

from clustersight.alerts.inhibition import SCOPE
from clustersight.alerts.keys import speaks_of_cluster
from clustersight.metric_keys import metric_keys
from clustersight.rules.expression import string
from clustersight.rules.prometheus import Exported
from clustersight.rules.promql import labels_of
from clustersight.rules.rule import Rule

_TEXT = """\
# Made by `clustersight rules export --format alertmanager`: an example to begin with, for the rules that
# `--format prometheus` exports. Who gets what is yours to say; the inhibit_rules are the rules' inhibited_by.
route:
  receiver: default
  # One message for each rule and cluster, with all hosts and tables in it.
  group_by: [alertname, cluster]
  group_wait: 30s
  group_interval: 5m
  # As the default cooldown_sec of ClusterSight's own alerter.
  repeat_interval: 1h

receivers:
  - name: default
    # slack_configs:
    #   - api_url_file: /etc/alertmanager/slack_webhook_url
    #     channel: '#clickhouse'
    #     send_resolved: true
    #     title: '[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }} in {{ .CommonLabels.cluster }}'
    #     text: '{{ range .Alerts }}{{ .Annotations.summary }}{{ "\\n" }}{{ end }}'

"""
# Labels beside the place that an alert of two severities has: the milder one is of the same thing.
_SEVERITIES = ("critical", "warning")
Group = tuple[str, tuple[str, ...]]


def export(rules: Iterable[Rule]) -> Exported:
    """An example of a configuration; the rules must be without problems."""
    known = [rule for rule in rules if rule.sql is None and rule.enabled]
    document = {"inhibit_rules": [*_raised(known), *_inhibited(known)]}
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, width=110)
    return Exported(_TEXT + text, ())


def _raised(rules: Sequence[Rule]) -> Iterator[dict[str, list[str]]]:
    """The critical alert of a rule silences its warning about the same thing."""
    raised = sorted({rule.identity for rule in rules if rule.raises})
    if raised:
        labels = {label for rule in rules if rule.identity in raised for label in _labels(rule)}
        source, target = (f"severity={string(severity)}" for severity in _SEVERITIES)
        names = _one_of(raised)
        yield {
            "source_matchers": [names, source],
            "target_matchers": [names, target],
            "equal": ["alertname", *sorted(labels)],
        }


def _inhibited(rules: Sequence[Rule]) -> Iterator[dict[str, list[str]]]:
    by_name = {rule.name: rule for rule in rules}
    targets: dict[Group, set[str]] = defaultdict(set)
    for rule in rules:
        for name in rule.inhibited_by:
            if name in by_name:
                targets[name, _common(by_name[name], rule)].add(rule.identity)
    for (name, equal), identities in targets.items():
        yield {
            "source_matchers": _source(by_name[name]),
            "target_matchers": [_one_of(sorted(identities))],
            "equal": list(equal),
        }


def _source(rule: Rule) -> list[str]:
    found = [f"alertname={string(rule.identity)}"]
    return [*found, f"severity={string(str(rule.severity))}"] if rule.raises else found


def _common(source: Rule, target: Rule) -> tuple[str, ...]:
    """Alertmanager takes a label that only one of them has for different: those that both have.

    What speaks of the whole cluster inhibits on every host, whichever host told it.
    """
    both = set(_labels(source)) & set(_labels(target))
    if speaks_of_cluster(source.metric_key):
        both.discard("host")
    return tuple(label for label in SCOPE if label in both)


def _labels(rule: Rule) -> list[str]:
    return [*labels_of(metric_keys()[rule.metric_key]), *rule.labels]


def _one_of(names: Sequence[str]) -> str:
    return f"alertname={string(names[0])}" if len(names) == 1 else f"alertname=~{string('|'.join(names))}"
