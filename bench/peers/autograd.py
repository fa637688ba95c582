"""autograd, whose Jacobian is dense: one pass back for each result."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way
from bench.rewritten.dialect import Ints, Vector
from bench.rewritten.numpy_like import NumpyLike
from bench.rewritten.registry import rewritten
from kernels.lazy import Lazy

autograd, anp, extend = Lazy("autograd"), Lazy("autograd.numpy"), Lazy("autograd.extend")


def _scatter() -> Any:
    """Declare np.bincount with its derivative: it has none of its own."""

    def add_at(v: Vector, places: Ints, size: int) -> Vector:
        return np.bincount(places, weights=v, minlength=size)

    declared = extend.primitive(add_at)
    extend.defvjp(declared, lambda result, v, places, size: lambda g: g[places], argnums=(0,))
    return declared


class Dense:
    """A function that gives a dense Jacobian."""

    def __init__(self, problem: Problem) -> None:
        self.f = rewritten(problem, NumpyLike(anp, _scatter()))
        self.dense = autograd.jacobian(self.f)

    def evaluate(self, x: Floats) -> object:
        """Return the dense matrix."""
        return self.dense(x)

    def jacobian(self, x: Floats) -> object:
        """Do the same."""
        return self.evaluate(x)

    def matrix(self, x: Floats) -> Any:
        """Drop its zeros."""
        return csr_array(self.dense(x))

    def value(self, x: Floats) -> Floats:
        """Call its f."""
        return np.asarray(self.f(x))

    def ready(self) -> bool:
        """Nothing changes after the first call."""
        return True

    def facts(self) -> Facts:
        """Say nothing."""
        return Facts()


def start(problem: Problem, pattern: Any) -> Way:
    """Nothing is prepared."""
    del pattern
    return Dense(problem)


PEER = Peer("autograd", ("autograd",), start, sizes=200)
