"""The demo's rule file is the pack, with a shorter `for`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from clustersight.demo.rules import shortened
from clustersight.rules import loader, pack
from clustersight.rules.loader import Loaded
from clustersight.rules.rule import Rule


def loaded(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "demo.yaml"
    file.write_text(text, encoding="utf-8")
    return loader.load([file], known=pack.built_in().rules)


def bare(rule: Rule) -> Rule:
    return dataclasses.replace(rule, origin="", interval_sec=None)


@pytest.mark.parametrize(("longest", "every"), [(15, None), (1, 1), (60, 5), (0, None)])
def test_nothing_but_for_is_another(tmp_path: Path, longest: int, every: int | None) -> None:
    found = loaded(tmp_path, shortened(longest, every))
    assert not found.problems
    wanted = [rule for rule in pack.built_in().rules if rule.for_sec > longest]
    assert len(wanted) > 10
    assert [bare(rule) for rule in found.rules] == [
        dataclasses.replace(bare(rule), for_sec=longest) for rule in wanted
    ]
    assert {rule.interval_sec for rule in found.rules} == {every}


def test_a_fix_can_be_read_in_the_file() -> None:
    text = shortened(15)
    assert "    fix: |\n      -- on {{ $labels.host | literal }}\n" in text
    assert "longer than 15s before they fire" in text
    assert "InsertsRejected\n    metric_key" not in text
