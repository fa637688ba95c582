"""asdex on the same GPU, where JAX has one; None where it has not."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from time import perf_counter
from typing import Any

from bench.families.family import Problem
from bench.peers.jax_functions import add_at, scan
from bench.rewritten.numpy_like import NumpyLike
from bench.rewritten.registry import rewritten
from kernels.lazy import Lazy

jax, jnp, asdex = Lazy("jax"), Lazy("jax.numpy"), Lazy("asdex")
REPEATS = 20


def has_gpu() -> bool:
    """Whether JAX is there, and sees a GPU."""
    if find_spec("jax") is None or find_spec("asdex") is None:
        return False
    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:  # no such platform
        return False


def sparse(f: Any, x: Any) -> Any:
    """The sparse Jacobian as a function, compiled."""
    return jax.jit(asdex.jacobian(f, x))


def seconds(problem: Problem, make: Callable[[Any, Any], Any]) -> float | None:
    """Median time of a Jacobian that stays on the device."""
    if not has_gpu():
        return None
    jax.config.update("jax_enable_x64", True)
    function = rewritten(problem, NumpyLike(jnp, add_at, scan))
    x = jax.device_put(jnp.asarray(problem.x), jax.devices("gpu")[0])
    compiled = make(function, x)
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        jax.block_until_ready(compiled(x))
        times.append(perf_counter() - start)
    return median(times[2:])
