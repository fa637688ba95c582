"""The 2-D Brusselator, a stiff reaction with diffusion, by an implicit Runge-Kutta method with an exact Jacobian.

Run it from the repository's root::

    python docs/examples/brusselator.py --size 24

``solve_ivp(method="Radau")`` needs the sparse Jacobian of f(t, y) with respect to y: ``jac=jacobian(f, argnums=1)``.
The same run with SciPy's differences, which are told the pattern, stands beside it.

Most of the time goes into SuperLU's many tiny BLAS calls, whose threads wait for each other on a busy machine: set
``OPENBLAS_NUM_THREADS=1`` there for times that mean something.

References
----------
E. Hairer, G. Wanner, *Solving Ordinary Differential Equations II*, section IV.10, problem BRUSS-2D.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from scipy.integrate import solve_ivp

from solver_runs import Run, run_solver, runs_table
from sparsejac import jacobian, jacobian_sparsity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from solver_runs import Floats

DIFFUSION = 0.1
IGNITION = 1.1  # the time at which a source starts inside a small disk


def brusselator(size: int) -> tuple[Callable[[float, Floats], Floats], Floats]:
    """Write dy/dt = f(t, y) of u and v on a periodic size x size grid, and the y at t = 0."""
    x, y = np.meshgrid(np.arange(size) / size, np.arange(size) / size)
    disk = (x - 0.3) ** 2 + (y - 0.6) ** 2 <= 0.1**2

    def laplacian(w: Floats) -> Floats:
        neighbours = np.roll(w, 1, axis=0) + np.roll(w, -1, axis=0) + np.roll(w, 1, axis=1) + np.roll(w, -1, axis=1)
        return (neighbours - 4 * w) * size**2

    def f(t: float, state: Floats) -> Floats:
        u, v = state.reshape(2, size, size)
        autocatalysis = u**2 * v
        du = 1 + autocatalysis - 4.4 * u + DIFFUSION * laplacian(u)
        dv = 3.4 * u - autocatalysis + DIFFUSION * laplacian(v)
        if t >= IGNITION:
            du = du + 5.0 * disk
        return np.concatenate([du.ravel(), dv.ravel()])

    u0, v0 = 22 * y * (1 - y) ** 1.5, 27 * x * (1 - x) ** 1.5
    return f, np.concatenate([u0.ravel(), v0.ravel()])


@dataclass(frozen=True)
class Result:
    """Both runs, as printed.

    Attributes
    ----------
    exact, differences : Run
        With our Jacobian and with SciPy's differences; ``solution`` is what `solve_ivp` returned.
    deviation : float
        Largest difference of their final states.
    """

    exact: Run[Any]
    differences: Run[Any]
    deviation: float


def main(arguments: Sequence[str] | None = None) -> Result:
    """Solve the problem both ways and print the comparison; `arguments` are those of the command line."""
    options = parse_options(arguments)
    console = Console(highlight=False)
    f, y0 = brusselator(options.size)
    console.print(
        f"Brusselator on a {options.size} x {options.size} grid: {y0.size:,} unknowns, t = 0 ... {options.end}"
    )

    def solve(f: Callable[[float, Floats], Floats], **how: Any) -> Any:
        return solve_ivp(f, (0.0, options.end), y0, method="Radau", rtol=options.rtol, atol=1e-3 * options.rtol, **how)

    # The counter stands outside: what is differentiated is f itself.
    exact = run_solver("sparsejac", f, lambda counted: solve(counted, jac=jacobian(f, argnums=1)))
    pattern = jacobian_sparsity(lambda y: f(0.0, y), y0).to_scipy()
    differences = run_solver("SciPy's differences", f, lambda counted: solve(counted, jac_sparsity=pattern))

    columns = {
        "steps": lambda solution: str(solution.t.size - 1),
        "njev": lambda solution: str(solution.njev),
        "nlu": lambda solution: str(solution.nlu),
    }
    console.print(runs_table("Radau to the end", [exact, differences], columns))
    deviation = float(np.max(np.abs(exact.solution.y[:, -1] - differences.solution.y[:, -1])))
    console.print(f"final states differ by {deviation:.1e} at most")
    return Result(exact, differences, deviation)


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="2-D Brusselator by Radau with an exact sparse Jacobian.")
    parser.add_argument("--size", type=int, default=24, help="grid points along a side (default: %(default)s)")
    parser.add_argument("--end", type=float, default=11.5, help="time to integrate to (default: %(default)s)")
    parser.add_argument("--rtol", type=float, default=1e-4, help="relative tolerance (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.size < 3:
        parser.error(f"--size {options.size} leaves no room for a five-point stencil: take 3 or more")
    return options


if __name__ == "__main__":
    main()
