"""SciPy's colored forward differences: what its solvers do when they are given `jac_sparsity`."""

from __future__ import annotations

from typing import Any

from scipy.optimize._numdiff import approx_derivative, group_columns
from scipy.sparse import csc_array, csr_array

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way


class Differences:
    """One evaluation of f for each group of columns that share no row."""

    def __init__(self, problem: Problem, pattern: Any) -> None:
        self.f = problem.f
        self.pattern = csc_array(pattern)
        self.groups = group_columns(self.pattern)

    def evaluate(self, x: Floats) -> object:
        """Return the matrix: SciPy has no cheaper form."""
        return self.matrix(x)

    def jacobian(self, x: Floats) -> object:
        """Return the matrix."""
        return self.matrix(x)

    def matrix(self, x: Floats) -> Any:
        """Approximate the Jacobian."""
        return csr_array(approx_derivative(self.f, x, method="2-point", sparsity=(self.pattern, self.groups)))

    def value(self, x: Floats) -> Floats:
        """Call f."""
        value: Floats = self.f(x)
        return value

    def ready(self) -> bool:
        """Nothing changes after the first call."""
        return True

    def facts(self) -> Facts:
        """Count the groups: one call of f each."""
        groups = int(self.groups.max(initial=-1)) + 1
        return Facts(colors=groups, passes=groups)


def start(problem: Problem, pattern: Any) -> Way:
    """Group the columns."""
    return Differences(problem, pattern)


PEER = Peer("scipy", ("scipy",), start, needs_pattern=True)
