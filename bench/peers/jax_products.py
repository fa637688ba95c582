"""JAX's products with derivatives, each compiled as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.families.family import Floats, Problem
from bench.peers.jax_functions import as_jax, jax, jnp
from bench.rewritten.registry import rewritten


def calls(problem: Problem, v: Floats, w: Floats) -> tuple[dict[str, Callable[[], Any]], Callable[[str], Floats]]:
    """Calls to be timed, by name, and the result of each as an array.

    f; jvp and vjp give the value and a product; push and pull are products after a linearization, which is `linearize`.
    """
    f = as_jax(lambda dialect, x: rewritten(problem, dialect)(x))
    x, tangent, cotangent = map(jnp.asarray, (problem.x, v, w))
    value = jax.jit(f)
    jvp = jax.jit(lambda x, v: jax.jvp(f, (x,), (v,)))
    vjp = jax.jit(lambda x, w: (lambda y, pull: (y, *pull(w)))(*jax.vjp(f, x)))
    linearize = jax.jit(lambda x: jax.linearize(f, x))
    push = jax.jit(lambda push, v: push(v))
    pull = jax.jit(lambda push, w: jax.linear_transpose(push, tangent)(w))
    stored = linearize(x)[1]
    made: dict[str, Callable[[], Any]] = {
        "f": lambda: value(x),
        "jvp": lambda: jvp(x, tangent),
        "vjp": lambda: vjp(x, cotangent),
        "linearize": lambda: linearize(x),
        "push": lambda: push(stored, tangent),
        "pull": lambda: pull(stored, cotangent),
    }

    def waiting(call: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: jax.block_until_ready(call())

    waited = {name: waiting(call) for name, call in made.items()}

    def result(name: str) -> Floats:
        found = waited[name]()
        found = found[1] if name in ("jvp", "vjp") else found[0] if name == "pull" else found
        return np.asarray(found)

    return waited, result
