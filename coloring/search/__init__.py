"""Exhaustive search: is there a coloring with so many colors? Backtracking over the graph of a problem."""

from __future__ import annotations

from coloring.search.conflicts import Instance as Instance
from coloring.search.conflicts import Ints64 as Ints64
from coloring.search.conflicts import as_instance as as_instance
from coloring.search.conflicts import components as components
from coloring.search.decision import Decision as Decision
from coloring.search.decision import Search as Search
from coloring.search.decision import decide as decide
from coloring.search.kernel import ACYCLIC as ACYCLIC
from coloring.search.kernel import FOUND as FOUND
from coloring.search.kernel import PROPER as PROPER
from coloring.search.kernel import REFUTED as REFUTED
from coloring.search.kernel import STAR as STAR
from coloring.search.kernel import UNDECIDED as UNDECIDED
