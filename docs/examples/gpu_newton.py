"""Newton's method on a GPU, everything resident: Bratu's equation by products, the power flow by a direct solver.

Run it from the repository's root, with CuPy installed (``pip install ".[cuda12]"`` there, or ``[cuda13]``)::

    python docs/examples/gpu_newton.py
    python docs/examples/gpu_newton.py --side 2000 --case case9241pegase

The functions are plain NumPy: they are followed once, on the host. From then on x, the Jacobian (its structure, too)
and its entries stay on the device; what comes back is one number an iteration, which is printed. Where there is no GPU,
one line says so.

References
----------
D. A. Knoll, D. E. Keyes, *Jacobian-free Newton-Krylov methods: a survey of approaches and applications*, Journal of
Computational Physics 193, 2004. Here the products are exact, by differentiation.
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsejac import jvp, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LAMBDA = 6.0


def bratu(x: Any) -> Any:
    """The residual -lap(u) - lambda exp(u) on a square, u = 0 on its rim, times the square of the mesh width."""
    side = round(len(x) ** 0.5)
    u = np.zeros((side + 2, side + 2))
    u[1:-1, 1:-1] = x.reshape(side, side)
    inner = u[1:-1, 1:-1]
    residual = 4.0 * inner - u[2:, 1:-1] - u[:-2, 1:-1] - u[1:-1, 2:] - u[1:-1, :-2]
    return (residual - LAMBDA / (side + 1) ** 2 * np.exp(inner)).ravel()


def conjugate_gradients(product: Callable[[Any], Any], b: Any, iterations: int) -> Any:
    """Solve a positive definite system; scalars stay on the device, too, so that nobody waits for them."""
    x, r = 0.0 * b, b.copy()
    p, rr = r.copy(), r @ r
    for _ in range(iterations):
        Ap = product(p)
        alpha = rr / (p @ Ap + 1e-300)
        x += alpha * p
        r -= alpha * Ap
        new = r @ r
        p = r + (new / (rr + 1e-300)) * p
        rr = new
    return x


def newton_krylov(cupy: Any, f: Any, x: Any, tolerance: float, most: int = 12) -> Iterator[tuple[Any, float]]:
    """Each iterate with the largest residual; the linear systems are solved by products with the Jacobian alone.

    f and its product with a vector are followed once; what is linear in that vector has J as its Jacobian.
    """
    residual, product = prepare(f, x), prepare(lambda x, v: jvp(f, x, v)[1], x, x, argnums=1)
    iterations = 3 * round(len(x) ** 0.5)
    for _ in range(most):
        F = residual.value(x)
        largest = float(cupy.abs(F).max())
        yield x, largest
        if largest < tolerance:
            return
        x = x - conjugate_gradients(partial(product.value, x), F, iterations)


def newton(cupy: Any, plan: Any, solve: Any, x: Any, tolerance: float, most: int = 12) -> Iterator[tuple[Any, float]]:
    """Each iterate with the largest residual; the linear systems are solved directly."""
    for _ in range(most):
        F, J = plan.value_and_jacobian(x)
        largest = float(cupy.abs(F).max())
        yield x, largest
        if largest < tolerance:
            return
        x = x - solve(J, F)


def power_flow(case: str) -> tuple[Any, Any]:
    """The mismatch equations of a grid, and where to start: `docs/examples/power_flow.py`."""
    grid = import_module("matpower_grid").load_grid(case)
    f, x = import_module("power_flow").mismatch_equations(grid)
    return f, x


def report(name: str, cupy: Any, iterates: Iterator[tuple[Any, float]]) -> Any:
    """Print each iteration; give the last iterate."""
    print(name)
    start, last = time.perf_counter(), None
    for number, (x, largest) in enumerate(iterates):
        print(f"  {number:2}  largest residual {largest:9.2e}  {time.perf_counter() - start:7.3f} s")
        last = x
    return last


def run(cupy: Any, linalg: Any, side: int, case: str | None) -> None:
    """Solve both."""
    u = report(
        f"Bratu, {side * side} unknowns: Newton-Krylov", cupy, newton_krylov(cupy, bratu, cupy.zeros(side * side), 1e-9)
    )
    print(f"  largest value of u: {float(u.max()):.6f}")
    if case is None:
        return
    f, x = power_flow(case)
    start = time.perf_counter()
    x = cupy.asarray(x)
    plan = prepare(f, x)
    print(f"power flow of {case}: {plan}, set up in {time.perf_counter() - start:.2f} s")
    report("  Newton, direct", cupy, newton(cupy, plan, linalg.spsolve, x, 1e-8))


def devices() -> tuple[Any, str]:
    """CuPy, or why it cannot be used."""
    try:
        cupy = import_module("cupy")
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # whatever a missing or broken installation raises
        return None, f"{type(error).__name__}: {error}"
    return (cupy, "") if count else (None, "no CUDA device")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=500, help="points along a side (default: %(default)s)")
    parser.add_argument("--case", default="case2869pegase", help="MATPOWER case (default: %(default)s)")
    parser.add_argument("--no-power-flow", action="store_true", help="Bratu's equation alone")
    options = parser.parse_args(arguments)
    cupy, why = devices()
    if cupy is None:
        print(f"gpu_newton: no GPU to run on ({why}); python docs/examples/power_flow.py runs on the processor")
        return 0
    linalg = import_module("cupyx.scipy.sparse.linalg")
    run(cupy, linalg, options.side, None if options.no_power_flow else options.case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
