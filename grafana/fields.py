"""What Grafana makes of a value: thresholds, words instead of numbers, grades of the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    DynamicConfigValue,
    RangeMap,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from clustersight.health import grades
from grafana.panels import Column, Shown
from grafana.thresholds import CALM, steps_of, steps_of_count

_BEST_SCORE = 100.0
# A grade's colour by its first letter; a C is where HealthScoreLow begins to be near.
_GRADE_COLOURS = {"A": "green", "B": "light-green", "C": "orange", "D": "red", "F": "red"}


def thresholds(one: Shown | Column) -> Builder[ThresholdsConfig]:
    """Those of the panel's rule, or none at all."""
    steps = [Threshold(None, CALM)]
    if one.rule:
        steps = steps_of(one.rule, one.unit)
    elif one.counts:
        steps = steps_of_count(one.counts)
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def words(mapping: Mapping[str, tuple[str, str]] | None) -> list[ValueMapping]:
    """Texts and colours instead of single values."""
    if not mapping:
        return []
    results = {
        value: ValueMappingResult(text=text, color=colour, index=at)
        for at, (value, (text, colour)) in enumerate(mapping.items())
    }
    return [ValueMap(options=results)]


def grade_words() -> list[ValueMapping]:
    """A score's grade instead of its number, from the score's own table."""
    starts = [*(least for least, _ in grades.GRADES), 0.0]
    ends = [_BEST_SCORE, *(round(least - 0.01, 2) for least in starts[:-1])]
    names = [*(name for _, name in grades.GRADES), "F"]
    return [_range(*one) for one in zip(starts, ends, names, strict=True)]


def _range(start: float, end: float, name: str) -> ValueMapping:
    result = ValueMappingResult(text=name, color=_GRADE_COLOURS[name[0]])
    return RangeMap(options=DashboardRangeMapOptions(from_val=start, to=end, result=result))


def of_column(column: Column) -> Sequence[DynamicConfigValue]:
    """The properties of a column of a table."""
    found = [DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        found.append(DynamicConfigValue("decimals", column.decimals))
    mappings = grade_words() if column.grades else words(column.words)
    if mappings:
        found.append(DynamicConfigValue("mappings", mappings))
    coloured = bool(column.rule or column.counts)
    if coloured:
        found.append(DynamicConfigValue("thresholds", thresholds(column).build()))
    if mappings or coloured:
        found.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return found
