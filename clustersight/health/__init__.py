"""The health score of a cluster: from samples and windows to components, a score and a grade (pure).

Source: spec/health.md. Nothing here reads a clock, a file or a database: whoever calls brings it all.
"""

from clustersight.health.deduction import Component, Deduction
from clustersight.health.grades import grade, overall, published, trend
from clustersight.health.node import NodeState
from clustersight.health.score import Health, health
from clustersight.health.thresholds import THRESHOLD_NAMES
from clustersight.health.windows import WANTED, Change, Reading, Window, Windows

__all__ = [
    "THRESHOLD_NAMES",
    "WANTED",
    "Change",
    "Component",
    "Deduction",
    "Health",
    "NodeState",
    "Reading",
    "Window",
    "Windows",
    "grade",
    "health",
    "overall",
    "published",
    "trend",
]
