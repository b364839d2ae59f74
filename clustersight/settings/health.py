"""How the health score is weighed (spec/health.md)."""

from __future__ import annotations

import itertools
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from clustersight.settings.fields import Section, between, fault, refuse_unknown, surroundings

Weight = Annotated[float, between(0, 100)]


class WeightSettings(Section):
    """The share of each component; the shares are divided by their sum."""

    replication: Weight = 30.0
    """The share of replication."""
    storage: Weight = 20.0
    """The share of storage."""
    errors: Weight = 20.0
    """The share of errors."""
    infrastructure: Weight = 10.0
    """The share of infrastructure."""
    queries: Weight = 20.0
    """The share of queries."""

    @model_validator(mode="after")
    def _not_all_zero(self) -> Self:
        if not sum(self.model_dump().values()):
            raise fault("are all 0; give at least one component a weight")
        return self


Point = tuple[float, Annotated[float, between(0, 100)]]


def _rising(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if not points or any(left[0] >= right[0] for left, right in itertools.pairwise(points)):
        raise fault("must be points [value, deduction] with rising values, such as [[75, 0], [98, 100]]")
    return points


Thresholds = dict[str, Annotated[tuple[Point, ...], AfterValidator(_rising)]]


class HealthSettings(Section):
    """Weights, and points (value, deduction) that replace the built-in ones by name."""

    weights: WeightSettings = WeightSettings()
    thresholds: Thresholds = Field(default_factory=dict)
    """Points [value, deduction] in place of built-in ones, by name: docs/health.md."""

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, thresholds: Thresholds, info: ValidationInfo) -> Thresholds:
        """Refuse lines that the score does not have, each at its key."""
        refuse_unknown(cls.__name__, "threshold", thresholds, surroundings(info).known.thresholds)
        return thresholds
