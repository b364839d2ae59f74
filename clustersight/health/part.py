"""What a component is made of: its inputs and what takes points off it, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clustersight.health.deduction import Component, Deduction, left_of
from clustersight.health.picture import Input, Picture, missing


def _no_note(_: Picture) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Part:
    """One component, before anything is known."""

    name: str
    label: str
    inputs: tuple[Input, ...]
    deductions: Callable[[Picture], Iterable[Deduction | None]]
    note: Callable[[Picture], str] = _no_note

    def of(self, picture: Picture, weight: float) -> Component:
        """The component of this cluster; `weight` is in percent."""
        off = tuple(filter(None, self.deductions(picture)))
        absent = missing(picture, self.inputs)
        return Component(
            name=self.name,
            label=self.label,
            score=None if absent.reason else left_of(off),
            weight=weight,
            deductions=tuple(sorted(off, key=lambda deduction: -deduction.points)),
            missing=absent.lines,
            note=absent.reason or self.note(picture),
        )
