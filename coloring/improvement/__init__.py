"""Improvement: from a valid coloring to one of fewer colors, within a budget of work."""

from __future__ import annotations

from coloring.improvement.choice import greedy_work as greedy_work
from coloring.improvement.choice import improve as improve
from coloring.improvement.recoloring import proven as proven
from coloring.improvement.recoloring import recolor as recolor
