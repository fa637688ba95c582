"""Ways to a Hessian: ours, CasADi's on its virtual machine, asdex's by JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array

from bench.families.family import Floats
from bench.hessians.families import Objective
from bench.peers.casadi import Symbols, casadi
from bench.peers.jax_functions import as_jax, asdex, jax
from sparsejac import prepare_hessian


@dataclass(frozen=True)
class HessianWay:
    """A way to a Hessian, made ready for one objective.

    Parameters
    ----------
    values : callable
        The cheapest form of the entries that a tool has.
    matrix : callable
        The whole Hessian as a matrix of SciPy's, for the check.
    ready : callable
        Whether what runs now is what will run in the long run.
    chosen : callable
        What was chosen, where there is a choice.
    """

    values: Callable[[Floats], object]
    matrix: Callable[[Floats], Any]
    ready: Callable[[], bool] = field(default=lambda: True)
    chosen: Callable[[], str] = field(default=str)


def ours(triangle: Any, objective: Objective) -> HessianWay:
    """A plan that writes into an array of its own."""
    plan = prepare_hessian(objective.f, objective.x, triangle=triangle)
    out, engine = np.empty(plan.pattern.nnz), plan._variants.first.engine

    def matrix(x: Floats) -> Any:
        found = plan(x)
        return found if triangle == "full" else found + found.T - diags_array(found.diagonal()).tocsr()

    return HessianWay(
        lambda x: plan.values(x, out=out),
        matrix,
        lambda: engine.running.chosen == "numba",
        lambda: f"{plan.strategy} on {engine.running.chosen}",
    )


class _Symbolic:
    """Symbols, their Hessian, and a function on buffers of ours, which have to outlive it."""

    def __init__(self, objective: Objective) -> None:
        x = casadi.SX.sym("x", objective.x.size)
        found = casadi.hessian(objective.rewritten(Symbols(), x), x)[0]
        self.function = casadi.Function("H", [x], [found])
        self.out, self.given = np.empty(found.nnz()), np.empty(objective.x.size)
        self.buffer, self.run = self.function.buffer()
        self.buffer.set_arg(0, self.given.data)
        self.buffer.set_res(0, self.out.data)

    def values(self, x: Floats) -> object:
        """Write the entries, column by column."""
        self.given[:] = x
        self.run()
        return self.out

    def matrix(self, x: Floats) -> Any:
        """Return SciPy's matrix."""
        self.values(x)
        pattern = self.function.sparsity_out(0)
        shape = (pattern.size1(), pattern.size2())
        return csr_array(csc_array((self.out.copy(), pattern.row(), pattern.colind()), shape=shape))


def by_casadi(objective: Objective) -> HessianWay:
    """Make CasADi's function."""
    made = _Symbolic(objective)
    return HessianWay(made.values, made.matrix)


def by_asdex(objective: Objective) -> HessianWay:
    """Pattern, star coloring, forward over reverse, and XLA."""
    f = as_jax(objective.rewritten)
    compiled = jax.jit(asdex.hessian(lambda x: f(x)[0], jax.numpy.asarray(objective.x)))

    def values(x: Floats) -> Any:
        return jax.block_until_ready(compiled(x))

    def matrix(x: Floats) -> Any:
        found = values(x)
        rows, columns = np.asarray(found.indices).T
        return csr_array((np.asarray(found.data), (rows, columns)), shape=found.shape)

    return HessianWay(values, matrix)
