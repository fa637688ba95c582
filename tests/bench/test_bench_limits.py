"""Kernels by hand have the pattern of f and the values of its differences; rewritten families are the families."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative
from scipy.sparse import csr_array

from bench.check import WrongError, nearby
from bench.clock import in_turns
from bench.families.family import Problem
from bench.families.registry import FAMILIES
from bench.limits.limit import VECTORISED, Limit, csr, slots
from bench.limits.registry import LIMITS
from bench.peers.peer import Peer
from bench.peers.registry import OTHERS
from bench.race import check, copy_of, fastest
from bench.rewritten.numpy_like import NUMPY
from bench.rewritten.registry import REWRITTEN, rewritten
from sparsejac import prepare

UNKNOWNS = 70
"""More than one block of the kernels that work in blocks."""

TOO_SMALL = {("broyden", 1), ("broyden_loop", 1), ("weno", 1), ("weno", 6)}
"""Rows at both ends would be the same ones."""


def test_every_family_has_a_limit_and_another_form() -> None:
    assert list(LIMITS) == list(REWRITTEN) == list(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
def test_kernel_by_hand_gives_the_differences_of_f(name: str) -> None:
    problem = FAMILIES[name].make(UNKNOWNS)
    limit = LIMITS[name](problem)
    x = nearby(problem.x)
    dense = np.atleast_2d(approx_derivative(problem.f, x, method="3-point"))
    for way in limit.ways.values():
        data = np.full(limit.pattern[1].size, np.nan)
        way(x, data)
        J = csr_array((data, limit.pattern[1], limit.pattern[0]), shape=dense.shape)
        assert np.abs(J.toarray() - dense).max() <= 1e-6 * np.abs(dense).max()


@pytest.mark.parametrize("name", FAMILIES)
def test_rewritten_family_has_the_same_values(name: str) -> None:
    problem = FAMILIES[name].make(UNKNOWNS)
    x = nearby(problem.x)
    np.testing.assert_allclose(rewritten(problem, NUMPY)(x), problem.f(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("peer", OTHERS, ids=lambda peer: peer.name)
def test_peers_that_are_installed_agree(peer) -> None:  # type: ignore[no-untyped-def]
    if hindrance := peer.hindrance(9):
        pytest.skip(hindrance)
    problem = FAMILIES["broyden"].make(9)
    plan = prepare(problem.f, problem.x)
    way = peer.start(problem, plan.pattern.to_scipy())
    x = nearby(problem.x)
    np.testing.assert_allclose(way.matrix(x).toarray(), plan(x).toarray(), atol=1e-6)
    np.testing.assert_allclose(way.value(x), problem.f(x), rtol=1e-12)


def test_peers_name_what_they_miss() -> None:
    assert Peer("", ("numpy", "no_such_module"), None, programs=("no-such-program",)).missing == (  # type: ignore[arg-type]
        "no_such_module",
        "no-such-program",
    )


def test_what_hinders_a_peer() -> None:
    small = Peer("", ("numpy",), None, sizes=5)  # type: ignore[arg-type]
    assert small.hindrance(5) is None
    assert small.hindrance(6) == "more than 5 unknowns are too many for it"
    assert Peer("", ("no_such_module",), None).hindrance(1) == "not installed: no_such_module"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FAMILIES)
def test_kernels_by_hand_write_their_entries_alone(name: str) -> None:
    """Compiled code tests no index: a kernel for which a problem is too small refuses it."""
    for n in (1, 6):
        problem = FAMILIES[name].make(n)
        if (name, n) in TOO_SMALL:
            with pytest.raises(ValueError, match="needs"):
                LIMITS[name](problem)
            continue
        limit = LIMITS[name](problem)
        dense = np.atleast_2d(approx_derivative(problem.f, problem.x, method="3-point"))
        for way in limit.experts().values():
            memory = np.full(limit.pattern[1].size + 200, -1e9)
            data = memory[100:-100]
            way(problem.x, data)
            assert set(memory[:100]) == set(memory[-100:]) == {-1e9}
            J = csr_array((data, limit.pattern[1], limit.pattern[0]), shape=dense.shape)
            np.testing.assert_allclose(J.toarray(), dense, rtol=0.0, atol=1e-6 * np.abs(dense).max(initial=0.0))


def test_bodies_beyond_the_work_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="400 bodies"):
        LIMITS["nbody"](Problem(lambda x: x, np.zeros(3), {"mass": np.ones(400), "softening": 0.0}, "nbody"))


def test_wrong_kernel_is_not_timed() -> None:
    problem = FAMILIES["broyden"].make(12)
    right = LIMITS["broyden"](problem)

    def wrong(x: np.ndarray, data: np.ndarray) -> None:  # type: ignore[type-arg]
        right.ways["numba"](x, data)
        data[5] += 1e-6

    with pytest.raises(WrongError, match="by hand, wrong"):
        check(problem, Limit({"wrong": wrong}, right.pattern), prepare(problem.f, problem.x))
    shifted = (right.pattern[0], np.roll(right.pattern[1], 1))
    with pytest.raises(WrongError, match="pattern"):
        check(problem, Limit(right.ways, shifted), prepare(problem.f, problem.x))


def test_pattern_from_entries_and_back() -> None:
    pattern = csr([2, 0, 0, 2, 2], [1, 3, 0, 0, 1], 4)
    assert pattern[0].tolist() == [0, 2, 2, 4, 4]
    assert pattern[1].tolist() == [0, 3, 0, 1]
    assert slots(pattern, [2, 0, 2], [1, 3, 0]).tolist() == [3, 1, 2]


def test_bytes_are_counted_once() -> None:
    limit = Limit({}, (np.array([0, 2]), np.array([0, 1])), (np.zeros(3, dtype=np.uint32),))
    assert limit.bytes_moved(np.zeros(5)) == 5 * 8 + 2 * 8 + 3 * 4


def test_limit_is_the_fastest_way_that_an_expert_has() -> None:
    found = {"by hand, a": 2.0, "by hand, b": 1.0, f"by hand, {VECTORISED}": 0.1, "auto": 0.01}
    assert fastest(found) == "b"


def test_short_calls_are_repeated_within_a_turn() -> None:
    calls: list[str] = []
    found = in_turns({"a": lambda: calls.append("a"), "copy": copy_of(64)}, budget=0.0, least=2)
    assert len(calls) > 100
    assert all(seconds > 0.0 for seconds in found.values())


def test_long_calls_may_come_right_after_themselves() -> None:
    order: list[str] = []

    def slow(name: str) -> Callable[[], None]:
        def call() -> None:
            order.append(name)
            time.sleep(2e-3)

        return call

    in_turns({"a": slow("a"), "b": slow("b")}, budget=0.0, least=3, most=3, after_itself=True)
    assert order[-12:] == ["a", "a", "b", "b"] * 3
