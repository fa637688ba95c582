"""sparsejac's strategies."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way
from sparsejac import Plan, prepare

StrategyName = Literal["auto", "forward", "reverse", "bidirectional", "identity"]
STRATEGIES: tuple[StrategyName, ...] = ("forward", "reverse", "bidirectional", "identity", "auto")


class PlanWay:
    """A plan that writes into an array of its own."""

    def __init__(self, plan: Plan, out: Floats) -> None:
        self.plan = plan
        self.out = out

    def evaluate(self, x: Floats) -> object:
        """Write the entries."""
        return self.plan.values(x, out=self.out)

    def matrix(self, x: Floats) -> Any:
        """Return the whole matrix."""
        return self.plan(x)

    def value(self, x: Floats) -> Floats:
        """Return f(x) from the plan."""
        value: Floats = self.plan.value_and_jacobian(x)[0]
        return value

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
