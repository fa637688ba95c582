"""Products of stencils written by slices: what comes back meets the values where these are, and is done once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.families.weno import reconstruct
from kernels.merging import segments_of
from oracles import complex_step
from sparsejac import jvp, linearize, vjp
from sparsejac.pieces.pieces import in_pieces
from sparsejac.schedules.fusion import lower
from sparsejac.transforms import pulled
from traced_functions import program_of

Array = NDArray[np.float64]


def sliced(x: Any) -> Any:
    """Differences of heavy fluxes inside, zeros at the rim."""
    face = reconstruct(x[:-4], x[1:-3], x[2:-2], x[3:-1], x[4:])
    out = np.zeros(x.shape, dtype=x.dtype)
    out[3:-2] = face[1:] - face[:-1]
    return out


def rolled(x: Any) -> Any:
    """The same, periodic."""
    face = reconstruct(np.roll(x, 2), np.roll(x, 1), x, np.roll(x, -1), np.roll(x, -2))
    return face - np.roll(face, 1)


def work_of(f: Callable[[Any], Any], n: int) -> tuple[int, int]:
    """Operations by weight, and numbers that are read, of a value and a cotangent."""
    made = in_pieces(pulled(program_of(f, np.linspace(1.0, 2.0, n))).program, values_only=True)
    loops = [loop for s in segments_of(lower(made, values_only=True).schedule, adds=True) for loop in s.loops]
    points = [int(np.prod(loop.box)) for loop in loops]
    weights = [loop.kernel.weight for loop in loops]
    return (
        sum(n * weight for n, weight in zip(points, weights, strict=True)),
        sum(n * loop.kernel.loads for n, loop in zip(points, loops, strict=True)),
    )


def test_slices_cost_what_rolls_cost() -> None:
    (work, reads), (least, fewest) = work_of(sliced, 20_000), work_of(rolled, 20_000)
    assert work <= 1.1 * least
    assert reads <= 1.2 * fewest


@pytest.mark.parametrize("n", [6, 7, 9, 90, 200])
@pytest.mark.parametrize("f", [sliced, rolled])
def test_products_of_fluxes(f: Callable[[Any], Any], n: int) -> None:
    x = np.linspace(0.5, 2.0, n) ** 2
    jacobian = complex_step(f, x)
    rng = np.random.default_rng(n)
    v, w = rng.uniform(-1.0, 1.0, n), rng.uniform(-1.0, 1.0, n)
    for backend in ("numpy", "numba"):
        np.testing.assert_allclose(jvp(f, x, v, backend=backend)[1], jacobian @ v, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(vjp(f, x, backend=backend)[1](w), w @ jacobian, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(linearize(f, x, backend=backend).vjp(w), w @ jacobian, rtol=1e-11, atol=1e-12)


def test_a_light_stencil_is_cut_as_before() -> None:
    """Where little is computed, no vector of cotangents is written: it would be most of what memory moves."""

    def f(x: Any) -> Any:
        u = np.square(x)
        step = u[1:] * u[:-1]
        out = np.zeros(x.shape, dtype=x.dtype)
        out[1:-1] = step[1:] - step[:-1]
        return out

    made = pulled(program_of(f, np.linspace(1.0, 2.0, 300))).program
    one, other = (in_pieces(made, values_only=values_only) for values_only in (False, True))
    assert [node.size for node in one.nodes] == [node.size for node in other.nodes]
