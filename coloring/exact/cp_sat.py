"""The same decisions by CP-SAT of OR-Tools, which learns from its failures: an optional package.

A variable says that a vertex has a color. Rules on two and four vertices become clauses at once; a cycle of two colors
becomes one when a solution shows it.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from coloring.demand import Colors
from coloring.exact.budget import Budget
from coloring.exact.cases import Case, Verdict, lifted
from coloring.exact.reduction import clique
from coloring.search import ACYCLIC, PROPER, STAR, Instance

# Visits are counted in the solver's own deterministic time, of which a unit is about a second.
VISITS_PER_UNIT = 100_000_000
# To make a clause takes Python about as long as so many visits.
VISITS_PER_CLAUSE = 1000


def require(call: str) -> None:
    """Raise a ValueError if OR-Tools is not installed."""
    if importlib.util.find_spec("ortools") is None:
        raise ValueError(f"{call}: got backend 'cp_sat', which needs the package ortools; run `pip install ortools`")


def solve_cases(cases: list[Case], size: int, budget: Budget) -> Verdict:
    """Solve one case after the other."""
    for case in cases:
        model = Model(case, budget)
        while True:
            if budget.over or not model.complete:
                return Verdict(None, refuted=False)
            status, colors = model.solve(budget)
            if status == "refuted":
                break
            if colors is None:
                return Verdict(None, refuted=False)
            if case.instance.rule != ACYCLIC or not model.forbid_cycles(colors):
                return Verdict(lifted(case, colors, size), refuted=False)
    return Verdict(None, refuted=True)


class Model:
    """The clauses of a case; ``has[v][c]`` is a variable, and color -1 of a two-sided case is neutral.

    It is not `complete` if the budget was over before all clauses were made.
    """

    def __init__(self, case: Case, budget: Budget) -> None:
        from ortools.sat.python import cp_model

        self._solver_of = cp_model.CpSolver
        self._verdicts = {cp_model.OPTIMAL: "found", cp_model.FEASIBLE: "found", cp_model.INFEASIBLE: "refuted"}
        self.case = case
        self.model = cp_model.CpModel()
        self.has = [self._variables(vertex) for vertex in range(case.instance.num_vertices)]
        self.equal: dict[tuple[int, int], Any] = {}
        for choices in self.has:
            self.model.add_exactly_one(choices.values())
        self._add_edges(case.instance)
        self.complete = case.instance.rule != STAR or self._add_paths(case.instance, budget)
        self._break_symmetry(case.instance)

    def _variables(self, vertex: int) -> dict[int, Any]:
        case = self.case
        colors = range(case.row_colors)
        if case.instance.two_sided:
            columns = range(case.row_colors, case.row_colors + case.column_colors)
            colors_of_side = columns if vertex >= case.instance.num_rows else colors
            return {color: self.model.new_bool_var("") for color in (-1, *colors_of_side)}
        return {color: self.model.new_bool_var("") for color in colors}

    def _never(self, *chosen: tuple[int, int]) -> None:
        self.model.add_bool_or([~self.has[vertex][color] for vertex, color in chosen])

    def _add_edges(self, instance: Instance) -> None:
        for vertex, near in enumerate(instance.lists):
            for other in near:
                if vertex < other:
                    for color in self.has[vertex].keys() & self.has[other].keys():
                        self._never((vertex, color), (other, color))
            if instance.two_sided:
                for color in self.has[near[0]].keys() - {-1} if near else ():
                    # The neighbours of a neutral vertex have different colors.
                    together = self.model.add(sum(self.has[other][color] for other in near) <= 1)
                    together.only_enforce_if(self.has[vertex][-1])

    def _add_paths(self, instance: Instance, budget: Budget) -> bool:
        """Forbid two colors on each path of four vertices; whether there was time for all."""
        for second, third in ((v, w) for v, near in enumerate(instance.lists) for w in near if v < w):
            for first in instance.lists[second]:
                for fourth in instance.lists[third]:
                    if first not in (third, fourth) and fourth != second:
                        self.model.add_bool_or([~self._same(first, third), ~self._same(second, fourth)])
                        budget.spent += VISITS_PER_CLAUSE
            if budget.over:
                return False
        return True

    def _same(self, one: int, two: int) -> Any:
        """Make a variable that is true if two vertices have the same color, and may be true otherwise."""
        pair = (min(one, two), max(one, two))
        if pair not in self.equal:
            self.equal[pair] = self.model.new_bool_var("")
            for color in self.has[one].keys() & self.has[two].keys() - {-1}:
                self.model.add_bool_or([~self.has[one][color], ~self.has[two][color], self.equal[pair]])
        return self.equal[pair]

    def _break_symmetry(self, instance: Instance) -> None:
        if instance.two_sided:
            return
        for color, vertex in enumerate(
            (clique(instance) if instance.rule == PROPER else _first_edge(instance)).tolist()
        ):
            if color in self.has[vertex]:
                self.model.add_bool_and([self.has[vertex][color]])

    def solve(self, budget: Budget) -> tuple[str, Colors | None]:
        """Solve what clauses there are."""
        solver = self._solver_of()
        solver.parameters.num_workers = 1
        if budget.visits is None:
            solver.parameters.max_time_in_seconds = max(budget.seconds_left, 0.01)
        else:
            solver.parameters.max_deterministic_time = (budget.share * budget.visits - budget.spent) / VISITS_PER_UNIT
        status = self._verdicts.get(solver.solve(self.model), "undecided")
        budget.spent += max(int(solver.response_proto.deterministic_time * VISITS_PER_UNIT), 1)
        if status != "found":
            return status, None
        chosen = [next(color for color, has in choices.items() if solver.value(has)) for choices in self.has]
        return status, np.array(chosen, dtype=np.int32)

    def forbid_cycles(self, colors: Colors) -> bool:
        """Forbid the two-colored cycles of a solution, in all pairs of colors; whether there are any."""
        cycles = _cycles(self.case.instance, colors.tolist())
        for cycle in cycles:
            for one in self.has[cycle[0]].keys() - {-1}:
                for two in self.has[cycle[1]].keys() - {-1, one}:
                    self._never(*((vertex, (one, two)[place % 2]) for place, vertex in enumerate(cycle)))
        return bool(cycles)


def _first_edge(instance: Instance) -> np.ndarray:
    """Find a vertex of largest degree and a neighbour: two that differ."""
    center = int(np.argmax(np.diff(instance.ptr)))
    return np.array([center, *instance.near(center)[:1]])


def _cycles(instance: Instance, colors: list[int]) -> list[list[int]]:
    """Find a cycle in each tree of two colors that is none; vertices in the order of the cycle."""
    cycles = []
    lists = instance.lists
    pairs = {
        (min(colors[v], colors[w]), max(colors[v], colors[w]))
        for v, near in enumerate(lists)
        for w in near
        if min(colors[v], colors[w]) >= 0
    }
    for pair in sorted(pairs):
        parents: dict[int, int] = {}
        for root in (vertex for vertex, color in enumerate(colors) if color in pair):
            if root in parents:
                continue
            parents[root] = -1
            queue = [root]
            for vertex in queue:
                for other in lists[vertex]:
                    if colors[other] not in pair or other == parents[vertex]:
                        continue
                    if other in parents:
                        cycle = _joined(parents, vertex, other)
                        if vertex < other:
                            cycles.append(cycle)
                    else:
                        parents[other] = vertex
                        queue.append(other)
    return cycles


def _joined(parents: dict[int, int], one: int, two: int) -> list[int]:
    """Join the ways from two vertices to where they meet."""
    ways = []
    for vertex in (one, two):
        way = [vertex]
        while parents[way[-1]] >= 0:
            way.append(parents[way[-1]])
        ways.append(way)
    left, right = ways
    while len(left) > 1 and len(right) > 1 and left[-2] == right[-2]:
        left.pop()
        right.pop()
    return [*left, *right[-2::-1]]
