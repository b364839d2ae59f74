"""The pack against real faults: ClickHouse, exporter and alerter are real, Slack's stub is the inbox.

`for` is capped by a generated rule file, thresholds never are. What is not provoked here, and why, stands at
the end of docs/runbook.md.
"""
