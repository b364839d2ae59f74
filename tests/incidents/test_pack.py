"""Each rule of the pack is provoked in this folder, or docs/runbook.md says why it is not.

Not provoked: VersionMismatch (18.16 and 26.9 speak different protocols, so they cannot be one cluster),
MutationStuck (half an hour by the server's clock), MergeStuck (an hour), ReplicationLagCritical (a quarter
of an hour of real lag), TableLoadFailed (the engine does not start with such a table), AsyncInsertsFailing
(the engine writes them at once), MergePoolSaturated (it would hold up every other incident),
DistributionGrowing (half an hour), DictionaryStale (over a minute), DdlQueueStuck (neither server runs the
worker of DDL). ReplicationLag and ReplicationQueueStuck are in `make soak`.
"""

from __future__ import annotations

import re
from pathlib import Path

from clustersight.rules.pack import built_in

HERE = Path(__file__)
RUNBOOK = HERE.parents[2] / "docs" / "runbook.md"
# Of two levels there is one alert, under the name of the milder rule.
WORDS = {
    "PartsPressureCritical": '"PartsPressure", "critical"',
    "DiskUsageCritical": "[CRITICAL] DiskUsage",
    "DiskWillFillCritical": "[CRITICAL] DiskWillFill",
}


def test_each_rule_is_provoked_or_said_not_to_be() -> None:
    section = RUNBOOK.read_text("utf-8").partition("\n## Not provoked on real servers\n")[2]
    excepted = set(re.findall(r"^\| ([A-Z]\w+) \|", section, flags=re.MULTILINE))
    texts = [file.read_text("utf-8") for file in HERE.parent.glob("test_*.py") if file != HERE]
    names = {rule.name for rule in built_in().rules}
    provoked = {name for name in names if any(is_in(text, name) for text in texts)}
    assert provoked.isdisjoint(excepted)
    assert provoked | excepted == names
    assert all(name in str(__doc__) for name in excepted)


def is_in(text: str, rule: str) -> bool:
    return WORDS[rule] in text if rule in WORDS else re.search(rf"\b{rule}\b", text) is not None
