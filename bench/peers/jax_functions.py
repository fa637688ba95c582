"""asdex, which detects the pattern and colors, and JAX alone, whose Jacobian is dense."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from bench.families.family import Floats, Problem
from bench.peers.peer import Facts, Peer, Way
from bench.rewritten.dialect import Ints, Vector
from bench.rewritten.numpy_like import NumpyLike
from bench.rewritten.registry import rewritten
from kernels.lazy import Lazy

jax, jnp, asdex = Lazy("jax"), Lazy("jax.numpy"), Lazy("asdex")


def add_at(v: Vector, places: Ints, size: int) -> Vector:
    """Add up what belongs to each place."""
    return jnp.zeros(size).at[places].add(v)


def scan(step: Callable[[Any, Any], Any], first: Any, rest: Vector) -> Vector:
    """Carry a value along a vector."""
    last, _ = jax.lax.scan(lambda s, t: (step(s, t), None), first, rest)
    return last.reshape(1)


def as_jax(function: Callable[[Any, Vector], Vector]) -> Callable[[Vector], Vector]:
    """What is written in a dialect as a function of JAX's arrays, in double precision on the processor."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    dialect = NumpyLike(jnp, add_at, scan)
    return lambda x: function(dialect, x)


class Jitted:
    """A compiled function that gives a Jacobian on the device, which is the processor."""

    def __init__(self, problem: Problem, make: Callable[[Any, Any], Any], sparse: bool) -> None:
        self.f = as_jax(lambda dialect, x: rewritten(problem, dialect)(x))
        self.compiled = jax.jit(make(self.f, jnp.asarray(problem.x)))
        self.sparse = sparse

    def evaluate(self, x: Floats) -> object:
        """Wait for the result, which stays where it is."""
        return jax.block_until_ready(self.compiled(x))

    def jacobian(self, x: Floats) -> object:
        """Do the same: no other form is cheaper."""
        return self.evaluate(x)

    def matrix(self, x: Floats) -> Any:
        """Bring it into SciPy's form."""
        found: Any = self.evaluate(x)
        if not self.sparse:
            return csr_array(np.asarray(found))
        rows, columns = np.asarray(found.indices).T
        return csr_array((np.asarray(found.data), (rows, columns)), shape=found.shape)

    def value(self, x: Floats) -> Floats:
        """Call its f."""
        return np.asarray(jax.jit(self.f)(x))

    def ready(self) -> bool:
        """Nothing changes after the first call."""
        return True

    def facts(self) -> Facts:
        """Say nothing: the colors are inside."""
        return Facts()


def _dense(f: Any, x: Any) -> Any:
    wide = jax.eval_shape(f, x).size < x.size
    return jax.jacrev(f) if wide else jax.jacfwd(f)


def start(sparse: bool, problem: Problem, pattern: Any) -> Way:
    """Detect, color and compile; or compile."""
    del pattern
    return Jitted(problem, asdex.jacobian if sparse else _dense, sparse)


ASDEX = Peer("asdex", ("jax", "asdex"), partial(start, True))
JAX = Peer("jax", ("jax",), partial(start, False), sizes=2_000)
