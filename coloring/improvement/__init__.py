"""Improvement: from a valid coloring to one of fewer colors, within a budget of work."""

from __future__ import annotations

from coloring.improvement.choice import improve as improve
from coloring.improvement.choice import round_work as round_work
