"""Colorings of patterns, kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels.lazy import Lazy
from sparsejac.ahead import leave_numba_to_caller
from sparsejac.on_disk.flat_files import Form
from sparsejac.on_disk.stored import stored
from sparsejac.patterns.pattern import Pattern

if TYPE_CHECKING:
    from coloring import Coloring, OrderName, ProblemName

COLORING = Lazy("coloring")

BUDGET = 1.0
"""Effort of the search for fewer colors; see `coloring.color`."""

_STEPS_PER_ENTRY = 8


def stored_coloring(pattern: Pattern, problem: ProblemName, order: OrderName | None) -> Coloring:
    """A coloring of a pattern: the best one that is found with little work, or the greedy one in a given order."""
    leave_numba_to_caller()
    entries = (pattern.indptr, pattern.indices, pattern.shape)
    made: Coloring = stored(
        f"coloring {problem}",
        lambda: COLORING.color(entries, problem, order, budget=BUDGET),
        key=(pattern, problem, order, BUDGET),
        # The bound of a greedy coloring in a given order is looked for when someone asks: it is not kept.
        work=_STEPS_PER_ENTRY * pattern.nnz if order is None else 0,
        forms=(Form(COLORING.Coloring, _parts, _build),),
    )
    return made


def _parts(made: Coloring) -> tuple[Any, ...]:
    bound = made.bound
    return (made.problem, made.method, made.colors, made.num_rows, bound.value, bound.reason, bound.witness)


def _build(parts: tuple[Any, ...]) -> Coloring:
    problem, method, colors, num_rows, *bound = parts
    made: Coloring = COLORING.Coloring(problem, method, colors, COLORING.Bound(*bound), num_rows)
    return made
