"""Products of functions that read at places all over: what comes back is added where it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernels import Table
from kernels.merging import segments_of
from oracles import complex_step
from sparsejac import jvp, linearize, vjp
from sparsejac.schedules import fusion
from sparsejac.schedules.fusion import lower
from sparsejac.transforms import pulled
from traced_functions import program_of

Function = Callable[[Any], Any]


def loops_of(f: Function, x: Any) -> list[Any]:
    """Those of the value and of a cotangent."""
    schedule = lower(pulled(program_of(f, x)).program, values_only=True).schedule
    return [loop for segment in segments_of(schedule, adds=True) for loop in segment.loops]


def check(f: Function, x: Any) -> None:
    """Products against the dense Jacobian by complex steps; the same numbers after a linearization."""
    jacobian = complex_step(f, x)
    rng = np.random.default_rng(1)
    v, w = rng.uniform(-1.0, 1.0, x.size), rng.uniform(-1.0, 1.0, jacobian.shape[0])
    for backend in ("numpy", "numba"):
        y, tangent = jvp(f, x, v, backend=backend)
        np.testing.assert_allclose(y, f(x), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(tangent, jacobian @ v, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(vjp(f, x, backend=backend)[1](w), w @ jacobian, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(linearize(f, x, backend=backend).vjp(w), w @ jacobian, rtol=1e-11, atol=1e-12)


def sightings(cameras: int, points: int, seen: int) -> tuple[Function, Any]:
    """Where cameras of four numbers see points in the plane; each point by some of them, cameras in no order."""
    rng = np.random.default_rng(cameras + points)
    camera, point = rng.integers(0, cameras, points * seen), np.repeat(np.arange(points), seen)
    split = 4 * cameras

    def f(x: Any) -> Any:
        poses, places = x[:split].reshape(-1, 4)[camera], x[split:].reshape(-1, 2)[point]
        there = np.sin(poses[:, :2] * places)
        square = there[:, 0] ** 2 + there[:, 1] ** 2
        return (there * np.exp(poses[:, 2] / (1.0 + np.cos(poses[:, 3]) * square))[:, np.newaxis]).ravel()

    return f, rng.uniform(0.5, 1.5, split + 2 * points)


@pytest.mark.parametrize(("cameras", "points", "seen"), [(1, 1, 1), (3, 40, 3), (7, 90, 2)])
def test_sightings(cameras: int, points: int, seen: int) -> None:
    check(*sightings(cameras, points, seen))


def test_all_shares_of_a_sight_are_added_in_its_loop() -> None:
    """Four numbers of the camera and two of the point go straight into the result."""
    f, x = sightings(7, 90, 2)
    loops = loops_of(f, x)
    (sights,) = [loop for loop in loops if loop.sums]
    assert (sights.box, len(sights.sums), len({access.buffer for access in sights.sums})) == ((180,), 6, 1)
    assert all(loop.indptr is None for loop in loops)
    assert {loop.box for loop in loops} == {(180,), (7,), (2 * 90,)}  # zeros for cameras, and for points


def reactions(species: int, count: int) -> tuple[Function, Any]:
    """Rates of reactions of two species each, which may be the same."""
    rng = np.random.default_rng(count)
    one, other = rng.integers(0, species, count), rng.integers(0, species, count)
    rate = rng.uniform(0.5, 1.5, count)
    return lambda x: rate * x[one] * np.exp(-x[other]), rng.uniform(0.5, 1.5, species)


@pytest.mark.parametrize(("species", "count"), [(1, 1), (1, 5), (6, 50), (40, 30)])
def test_reactions(species: int, count: int) -> None:
    check(*reactions(species, count))


def test_both_shares_of_a_reaction_are_added_in_turn() -> None:
    loops = loops_of(*reactions(6, 50))
    (found,) = [loop for loop in loops if loop.sums]
    assert (found.box, len(found.sums)) == ((50,), 2)
    assert all(loop.indptr is None for loop in loops)


def test_a_part_that_counts_nowhere_is_left_out() -> None:
    """Half of what is read is fixed: its terms are none of the sums."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 20, 60), rng.integers(0, 20, 60)

    def f(x: Any) -> Any:
        place = np.concatenate([x, np.full(10, 0.3)])
        return np.sin(place[one] * place[other]) / (1.0 + place[one] ** 2)

    check(f, rng.uniform(0.5, 1.5, 10))


def test_a_table_of_one_number_jumps_nowhere() -> None:
    """What is left of a table at one point has no dimension."""
    assert not fusion._in_runs(Table((), np.array([3])))
    assert fusion._in_runs(Table((100,), np.roll(np.arange(100), 3)))
