"""sparsejac's strategies."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args

import numpy as np

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way
from sparsejac import Plan, prepare
from sparsejac.options import StrategyName
from sparsejac.strategies import STRATEGIES as REGISTRY

STRATEGIES: tuple[StrategyName, ...] = tuple(name for name in get_args(StrategyName) if name in ("auto", *REGISTRY))


class PlanWay:
    """A plan that writes into an array of its own."""

    def __init__(self, plan: Plan, out: Floats) -> None:
        self.plan = plan
        self.out = out

    def evaluate(self, x: Floats) -> object:
        """Write the entries."""
        return self.plan.values(x, out=self.out)

    def jacobian(self, x: Floats) -> object:
        """Return the whole matrix."""
        return self.plan(x)

    def matrix(self, x: Floats) -> Any:
        """Return the same."""
        return self.plan(x)

    def value(self, x: Floats) -> Floats:
        """Return f(x) from the plan."""
        value: Floats = self.plan.value_and_jacobian(x)[0]
        return value

    def ready(self) -> bool:
        """Whether code is compiled."""
        return self.plan.explain(color=False).backend == "numba"

    def facts(self) -> Facts:
        """Return what `explain` knows; nothing is colored for it."""
        explained = self.plan.explain(color=False)
        prediction = next(line.prediction for line in explained.lines if line.prediction.strategy == explained.strategy)
        colors = None if self.plan.coloring is None else self.plan.coloring.num_colors
        chosen = f"{explained.strategy} on {explained.backend}"
        return Facts(chosen, colors, prediction.passes, prediction.products, explained.seconds)


def start(strategy: StrategyName, problem: Problem, pattern: Any) -> Way:
    """Prepare a plan."""
    del pattern
    plan = prepare(problem.f, problem.x, strategy=strategy)
    return PlanWay(plan, np.empty(plan.pattern.nnz))


PEERS = tuple(Peer(name, ("sparsejac",), partial(start, name)) for name in STRATEGIES)
