"""How chains are found: liveness, cuts over all orders, forms for one matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inverse_functions import CASES
from oracles import complex_step
from sparsejac import SingularError, linearize_inverse
from sparsejac.inverse.flows import Bottleneck, Levels, Network, levels_of
from sparsejac.inverse.matching import BlockForm, Unmatched, block_form
from sparsejac.inverse.rolled import turns
from sparsejac.inverse.signatures import _digest
from sparsejac.inverse.solvers import choice as costs
from sparsejac.inverse.solvers.choice import choices
from sparsejac.inverse.solvers.form import SingularMatrixError, Square

Ints = NDArray[np.int64]


def separated(network: Network, removed: set[int]) -> bool:
    """Whether no path leads from what is used up to what is fresh, without the removed numbers."""
    reached = {k for k in range(network.used) if k not in removed}
    for tail, head in sorted(zip(network.tails.tolist(), network.heads.tolist(), strict=True)):
        if tail in reached and head not in removed:
            reached.add(head)
    return reached.isdisjoint(network.fresh.tolist())


def made_before(network: Network, made: set[int]) -> set[int]:
    """What is alive when just these numbers have been made."""
    read = {t for t, h in zip(network.tails.tolist(), network.heads.tolist(), strict=True) if h not in made}
    return {k for k in made if k in read or k in network.fresh.tolist()}


def all_cuts(network: Network) -> Iterator[tuple[set[int], set[int]]]:
    """By brute force: what is made and what is alive at times of all orders, where that is as much as is used up."""
    later = list(range(network.used, len(network.buffers)))
    start = set(range(network.used))
    needs: dict[int, set[int]] = {}
    for tail, head in zip(network.tails.tolist(), network.heads.tolist(), strict=True):
        needs.setdefault(head, set()).add(tail)
    for count in range(len(later) + 1):
        for some in combinations(later, count):
            made = start | set(some)
            if all(needs.get(k, set()) <= made for k in some):
                alive = made_before(network, made)
                if len(alive) == network.used:
                    yield made, alive


def longest_chain(cuts: Iterable[tuple[set[int], set[int]]]) -> int:
    """The largest number of different cuts that one order goes through."""
    longest: list[tuple[set[int], set[int], int]] = []
    for made, alive in sorted(cuts, key=lambda cut: len(cut[0])):
        before = (length for earlier, cut, length in longest if earlier < made and cut != alive)
        longest.append((made, alive, 1 + max(before, default=0)))
    return max(length for _, _, length in longest)


def independent_parts(network: Network, made: set[int], replaced: set[int]) -> int:
    """How many parts, none of which needs another one, a lump falls into that makes some numbers out of others."""
    part = {k: k for k in made | replaced}
    for tail, head in zip(network.tails.tolist(), network.heads.tolist(), strict=True):
        if head in made and tail in part and part[tail] != part[head]:
            part = {k: part[head] if p == part[tail] else p for k, p in part.items()}
    return len(set(part.values()))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Small graphs in which each number is read and depends on something, as in those of lumps."""
    used = draw(st.integers(1, 3))
    inside = draw(st.integers(0, 4))
    count = 2 * used + inside
    edges = set()
    for head in range(used, count):
        width = draw(st.integers(1, 3))
        edges |= {(draw(st.integers(0, min(head, count - used) - 1)), head) for _ in range(width)}
    tails, heads = (np.array([edge[k] for edge in sorted(edges)], dtype=np.int64) for k in (0, 1))
    numbers = np.arange(count)
    return Network(numbers * 0, numbers, tails, heads, used, numbers[count - used :])


@settings(max_examples=150, deadline=None)
@given(networks())
def test_levels_are_cuts_and_meet_every_number_of_a_cut(network: Network) -> None:
    """And what is between two of them falls into as many independent parts as the finest chain has lumps there."""
    alive = set(network.fresh.tolist())
    for k in range(len(network.buffers) - 1, -1, -1):
        if any(h in alive for t, h in zip(network.tails.tolist(), network.heads.tolist(), strict=True) if t == k):
            alive.add(k)
    if len(alive) < len(network.buffers):
        return  # numbers that nothing reads are no part of the networks of lumps
    found = levels_of(network)
    if isinstance(found, Bottleneck):
        few = set(found.numbers.tolist())
        assert len(few) < network.used
        assert separated(network, few)
        return
    assert isinstance(found, Levels)
    assert not any(separated(network, set(few)) for few in combinations(range(len(found.of)), network.used - 1))
    assert (found.of[: network.used] == 0).all()
    assert (found.of[network.tails] <= found.of[network.heads]).all()
    met, before, lumps = set[int](), set(range(network.used)), 0
    for level in range(int(found.of.max()) + 1):
        made = set(np.flatnonzero(found.of <= level).tolist())
        cut = made_before(network, made)
        assert len(cut) == network.used
        met |= cut
        if level:
            lumps += independent_parts(network, set(np.flatnonzero(found.of == level).tolist()), before - cut)
        before = cut
    cuts = list(all_cuts(network))
    assert met == set().union(*(alive for _, alive in cuts))
    assert lumps == longest_chain(cuts) - 1


def test_chains_over_all_orders_are_finer_than_that_of_the_given_one() -> None:
    case = next(case for case in CASES if case.name == "halves_in_turns")
    told = linearize_inverse(case.f, case.x, lumps="finest").explain()
    assert told.cuts == 5
    given_order = linearize_inverse(case.f, case.x, lumps="one").explain()
    assert given_order.cuts == 1


def test_deep_halves_are_taken_apart_where_that_pays() -> None:
    n = 120

    def f(x: Any) -> Any:
        u, v = x[:n], x[n:]
        wide = widened(u)
        for _ in range(12):
            other = widened(v)
            wide = widened(narrowed(wide))
            v = narrowed(other)
        return np.concatenate([narrowed(wide), v])

    def widened(a: Any) -> Any:
        return np.concatenate([np.sin(a) + 2.0 * a, np.cos(a)])

    def narrowed(a: Any) -> Any:
        return a[:n] + 0.3 * np.roll(a[n:], 1) + 0.2 * np.roll(a[n:], 7) - 0.1 * a[n:][::-1]

    x = np.linspace(0.1, 0.5, 2 * n)
    inverse = linearize_inverse(f, x)
    assert len(inverse.explain().lumps) > 2
    J, v = complex_step(f, x), np.cos(np.arange(2.0 * n))
    expected = np.linalg.solve(J, v)
    scale = 1e-10 * float(np.linalg.cond(J)) * np.abs(expected).max()
    np.testing.assert_allclose(inverse.ivjp(v), expected, atol=scale, rtol=0.0)


def test_sums_and_values_without_a_derivative_are_put_into_another_order() -> None:
    """Sums of many numbers are taken apart, and what has no derivative stands before its readers."""

    def f(x: Any) -> Any:
        u, v = x[:4], x[4:]
        wide = widened(u)
        for _ in range(3):
            other = widened(v)
            wide = widened(narrowed(wide))
            v = narrowed(other)
        return np.concatenate([narrowed(wide), v])

    def widened(a: Any) -> Any:
        return np.concatenate([np.sin(a) + 2.0 * a, np.cos(a), a * a])

    def narrowed(a: Any) -> Any:
        others = np.sum(a[4:].reshape(2, 4), axis=0)
        return a[:4] * (1.0 + 0.1 * np.floor(3.0 * np.real(a[:4]))) + 0.3 * np.roll(others, 1)

    x = np.random.default_rng(0).uniform(0.3, 1.2, 8)
    J, V = complex_step(f, x), np.cos(np.arange(24.0)).reshape(8, 3)
    inverse = linearize_inverse(f, x, lumps="finest")
    assert len(inverse.explain().lumps) > 3
    np.testing.assert_allclose(inverse.value, f(x), rtol=1e-14)
    np.testing.assert_allclose(J @ inverse.ivjp(V), V, rtol=0.0, atol=1e-9)
    np.testing.assert_allclose(J.T @ inverse.ijvp(V), V, rtol=0.0, atol=1e-9)


def test_bottlenecks_over_several_times_are_found() -> None:
    def f(x: Any) -> Any:
        wide = np.sin(np.outer(x[3:], np.arange(1.0, 4.0)))  # nine numbers beside the one that comes of the others
        few = np.sum(x[:3])
        return np.concatenate([np.exp(few * np.arange(1.0, 4.0)), np.sum(wide, axis=1)])

    with pytest.raises(SingularError, match=r"6 numbers .* act through 4 others alone: .*np.sum\[0\]") as caught:
        linearize_inverse(f, np.linspace(0.1, 0.6, 6), lumps="finest")
    assert "few = np.sum(x[:3])" in str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 3, 6, 17, 40])
def test_every_form_solves_with_the_matrix_and_its_transpose(size: int) -> None:
    rng = np.random.default_rng(size)
    for matrix in matrices(size, rng):
        dense, entries = matrix.toarray(), sp.coo_array(matrix)
        order = rng.permutation(entries.nnz)
        rows, columns = entries.row[order].astype(np.int64), entries.col[order].astype(np.int64)
        found = choices(Square(size, rows, columns))
        assert not isinstance(found, Unmatched)
        condition = float(np.linalg.cond(dense))
        for choice in found:
            form = choice.make()
            for scale in (1.0, -3.0):  # the second time with what was learnt
                factor = form.factor(scale * entries.data[order])
                for b in (rng.standard_normal(size), rng.standard_normal((size, 3))):
                    for solve, A in ((factor.solve, dense), (factor.solve_transposed, dense.T)):
                        expected = np.linalg.solve(scale * A, b)
                        limit = 1e-12 * condition * np.abs(expected).max()
                        np.testing.assert_allclose(solve(b), expected, atol=limit, rtol=0.0, err_msg=form.name)
                sign, log = np.linalg.slogdet(scale * dense)
                assert factor.slogdet()[0] == sign, form.name
                assert factor.slogdet()[1] == pytest.approx(log, abs=1e-9), form.name


def test_large_matrices_are_dense_where_their_zeros_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "_DENSEST", 20)
    rows, columns = np.indices((40, 40)).reshape(2, -1)
    below = 39 - rows >= columns  # triangular when rows are reversed
    some = (rows == columns) | (rows % 10 == 0) | (columns % 10 == 9)
    for kept, form in ((rows >= 0, "dense LU"), (below, "dense substitution")):
        found = choices(Square(40, rows[kept], columns[kept]))
        assert not isinstance(found, Unmatched)
        assert found[0].name == form
    assert 0.15 < some.mean() < 0.25
    found = choices(Square(40, rows[some], columns[some]))
    assert not isinstance(found, Unmatched)
    assert not any("dense" in one.name for one in found)


def test_full_matrices_take_longer_by_sparse_elimination() -> None:
    """As was measured, however large they are: 2 to 3 times as long."""
    for size in (500, 2000, 5000, 20_000):
        ratio = costs.sparse_seconds(size, size * size) / costs.dense_seconds(size, size * size)
        assert 2.0 < ratio < 4.0


def matrices(size: int, rng: np.random.Generator) -> Iterator[Any]:
    """Diagonals, bands, triangles, blocks, all permuted, and others."""
    P, Q = (sp.eye_array(size).tocsr()[rng.permutation(size)] for _ in range(2))
    D = sp.diags_array(rng.random(size) + 0.5).tocsr()
    yield from (D, P @ D)
    full = sp.coo_array(rng.standard_normal((size, size)) + 2.0 * np.eye(size)).tocsr()
    yield from (full, P @ sp.tril(full).tocsr() @ Q)
    if size < 3:
        return
    off = [rng.random(size - 1) + 0.1, rng.random(size) + 1.5, rng.random(size - 1) + 0.1]
    T = sp.diags_array(off, offsets=[-1, 0, 1]).tocsr()
    yield from (T, T.T, P @ T, P @ T @ P.T, T @ T, sp.tril(T), sp.triu(T), P @ sp.tril(T).tocsr() @ Q)
    blocks = sp.block_diag([sp.coo_array(rng.standard_normal((2, 2))) for _ in range(size // 2)]).tolil()
    blocks[blocks.shape[0] - 1, 0] = 1.5
    rest = size - blocks.shape[0]
    whole = sp.block_diag([blocks, rng.random((rest, rest)) + 1.0]).tocsr() if rest else blocks.tocsr()
    yield from (whole, P @ whole @ Q)
    some = sp.random_array((size, size), density=0.2, rng=rng) + 3.0 * sp.eye_array(size)
    yield from (some.tocsr(), P @ some)


@pytest.mark.parametrize("size", [2, 3, 9, 30])
def test_every_form_sees_singular_matrices(size: int) -> None:
    rng = np.random.default_rng(size)
    full = rng.standard_normal((size, size))
    full[size // 2] = full[0] * 2.0 if size // 2 else full[1]
    triangle = np.tril(rng.random((size, size)) + 1.0)
    triangle[1, 1] = 0.0
    band = np.diag(np.full(size, 2.0)) - np.diag(np.ones(size - 1), 1) - np.diag(np.ones(size - 1), -1)
    band[0, 0] = band[-1, -1] = 1.0
    structure = [np.ones_like(full), np.tril(np.ones_like(full)), band != 0.0]
    for matrix, places in zip((full, triangle, band), structure, strict=True):
        rows, columns = (part.astype(np.int64) for part in np.nonzero(places))
        found = choices(Square(size, rows, columns))
        assert not isinstance(found, Unmatched)
        for choice in found:
            with pytest.raises(SingularMatrixError) as caught:
                choice.make().factor(matrix[rows, columns])
            assert 0 <= caught.value.row < size
            assert caught.value.condition > 1e14


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0.0, 0.4))
def test_block_forms_are_block_triangular_and_irreducible(size: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    pattern = rng.random((size, size)) < density
    pattern[np.arange(size), rng.permutation(size)] |= rng.random(size) < 0.9
    indptr = np.concatenate([[0], np.cumsum(pattern.sum(axis=1))])
    form = block_form(size, indptr, np.nonzero(pattern)[1])
    rank = structural_rank(pattern)
    if isinstance(form, Unmatched):
        assert len(form.rows) == len(form.columns) == size - rank > 0
        return
    assert isinstance(form, BlockForm)
    assert rank == size
    ordered = pattern[np.ix_(form.rows, form.columns)]
    assert ordered.diagonal().all()
    for start, stop in zip(form.bounds[:-1], form.bounds[1:], strict=True):
        assert not ordered[start:stop, stop:].any()
        block = ordered[start:stop, start:stop].astype(int) + np.eye(stop - start, dtype=int)
        assert np.linalg.matrix_power(block, max(int(stop - start) - 1, 0)).all()


def structural_rank(pattern: NDArray[np.bool_]) -> int:
    """By random numbers in the places of a pattern."""
    values = np.where(pattern, np.random.default_rng(0).uniform(1.0, 2.0, pattern.shape), 0.0)
    return int(np.linalg.matrix_rank(values))


def test_turns_cover_a_sequence_and_are_alike() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        body = rng.integers(0, 3, rng.integers(1, 5)).tolist()
        sequence = rng.integers(0, 3, 3).tolist() + body * int(rng.integers(2, 9)) + [5]
        found = turns(sequence)
        assert [a for a, _ in found] == [0, *[b for _, b in found[:-1]]]
        assert found[-1][1] == len(sequence)
    assert turns([]) == []
    assert turns([1, 2] * 20) == [(2 * k, 2 * k + 2) for k in range(20)]


def test_places_have_one_name_only_if_they_are_the_same() -> None:
    """Lumps of one signature share what is known of one: places that differ in their middle must not."""
    places = [np.array(p, dtype=np.int64) for size in range(6) for p in product(range(3), repeat=size)]
    assert len({_digest(p) for p in places}) == len(places)
    assert all(_digest(p) == _digest(p.copy()) for p in places)
