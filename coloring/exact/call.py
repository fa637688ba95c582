"""The exact coloring: one number of colors after the other is shown not to be enough, until one is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, cast, get_args

import numpy as np

from coloring.adjacency import AdjacencyGraph
from coloring.bounds import Bound
from coloring.bounds.bound import witnessed
from coloring.demand import NEUTRAL, Colors
from coloring.exact import cp_sat
from coloring.exact.budget import Budget
from coloring.exact.cases import Cases, Solver, search_cases
from coloring.graphs import Graph, build_graph
from coloring.greedy import greedy
from coloring.orders import OrderName
from coloring.pattern import PatternLike, as_pattern
from coloring.pipeline import color
from coloring.problems import Problem, ProblemName, as_problem
from coloring.result import Coloring, numbered

Backend: TypeAlias = Literal["search", "cp_sat"]
SOLVERS: MappingProxyType[str, Solver] = MappingProxyType({"search": search_cases, "cp_sat": cp_sat.solve_cases})

# Part of the budget spent on raising the bound, before the rest goes into colorings of fewer colors.
RAISING = 0.6


def exact(
    pattern: PatternLike,
    problem: ProblemName = "column",
    *,
    seconds: float = 10.0,
    visits: int | None = None,
    backend: Backend = "search",
) -> Coloring:
    """Color with fewest colors, and prove it; for small or easy patterns.

    Greedy colorings and lower bounds come first. Where they do not meet, an exhaustive search decides whether k colors
    are enough, for one k after the other: backtracking that colors the vertex with fewest colors left (DSATUR), on
    connected parts one by one, without vertices that always find a color, with equal colors never tried twice.

    Parameters
    ----------
    pattern : index arrays, sparse matrix, or 2-D array of bool
        See `color`.
    problem : str
        See `PROBLEMS`.
    seconds : float
        When to stop.
    visits : int, optional
        Work after which to stop, instead of the clock; the result then depends on the input only.
    backend : {"search", "cp_sat"}
        "cp_sat" needs the package ortools. It learns from its failures, and gets further on some graphs.

    Returns
    -------
    Coloring
        Its method is "exact" if it has fewest colors: then `is_optimal` is true, and the reason of the bound says what
        proves it. Otherwise the method says after how long the search stopped; the coloring is the best found, and the
        bound the best proven.

    Raises
    ------
    ValueError
        For an unknown option, or a back end that is not installed.

    References
    ----------
    Brélaz: New methods to color the vertices of a graph, Communications of the ACM 22(4), 1979.

    Examples
    --------
    A cycle of five has no two neighbours of one color with three colors, and needs four so that each path of four
    vertices has three:

    >>> cycle = ([0, 2, 4, 6, 8, 10], [1, 4, 0, 2, 1, 3, 2, 4, 0, 3], (5, 5))
    >>> exact(cycle, "distance_1").num_colors
    3
    >>> exact(cycle, "star").num_colors
    4
    """
    chosen = as_problem(problem, "exact")
    if backend not in get_args(Backend):
        raise ValueError(f"exact: got backend {backend!r}; choose one of {', '.join(map(repr, get_args(Backend)))}")
    if not seconds >= 0 or (visits is not None and not 0 <= visits < math.inf):
        raise ValueError(
            f"exact: got seconds={seconds!r}, visits={visits!r}; pass numbers that are not negative, and of visits no "
            "infinity"
        )
    if backend == "cp_sat":
        cp_sat.require("exact")
    budget = Budget(seconds, visits)
    matrix = as_pattern(pattern, "exact")
    graph = build_graph(chosen, matrix, "exact")
    start = color(matrix, problem)
    state = _State(chosen, graph, start.colors, start.bound)
    if not state.closed:
        _try_orders(state)
    if not state.closed:
        _close(state, SOLVERS[backend], Cases(chosen, graph), budget)
    return state.result("exact" if state.closed else f"exact, time-out after {budget}")


@dataclass
class _State:
    """The best coloring and the best bound so far."""

    problem: Problem
    graph: Graph
    colors: Colors
    bound: Bound

    @property
    def num_colors(self) -> int:
        return int(self.colors.max(initial=-1)) + 1

    @property
    def closed(self) -> bool:
        return self.bound.value >= self.num_colors

    @property
    def num_rows(self) -> int:
        return self.graph.pattern.shape[0] if self.problem.two_sided else 0

    def offer(self, colors: Colors) -> None:
        """Take a coloring if it has fewer colors."""
        if self.problem.two_sided:
            colors = np.where(cast("AdjacencyGraph", self.graph).degrees == 0, NEUTRAL, colors)
        mine = numbered(colors, self.num_rows)
        if int(mine.max(initial=-1)) + 1 < self.num_colors:
            self.colors = mine

    def refute(self, k: int) -> None:
        """Note that k colors are not enough."""
        everything = np.arange(self.graph.num_vertices, dtype=np.int32)
        self.bound = witnessed(k + 1, f"an exhaustive search found no coloring with {k} colors", everything)

    def result(self, method: str) -> Coloring:
        self.colors.flags.writeable = False
        return Coloring(self.problem.name, method, self.colors, self.bound, self.num_rows)


def _try_orders(state: _State) -> None:
    name: OrderName
    for name in get_args(OrderName):
        state.offer(greedy(state.problem, state.graph, name, 0))
        if state.closed:
            return


def _close(state: _State, solve: Solver, cases: Cases, budget: Budget) -> None:
    """Raise the bound and lower the number of colors until they meet or the budget is over."""
    steps: tuple[tuple[float, Callable[[], int]], ...] = (
        (RAISING, lambda: state.bound.value),
        (1.0, lambda: state.num_colors - 1),
    )
    for share, choose in steps:
        # A single number of colors is in question: nothing is gained by asking twice.
        budget.share = 1.0 if state.num_colors - state.bound.value == 1 else share
        while not state.closed and not budget.over:
            k = choose()
            verdict = solve(cases.of(k), cases.size, budget)
            if verdict.refuted:
                state.refute(k)
            elif verdict.colors is not None:
                state.offer(verdict.colors)
            else:
                break
