"""Which points the sweeps of `elimination` go over, and in what order: common ones once, neighbours together."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsejac
from kernels.address import Affine, Table, identity
from kernels.kernel import Kernel, KernelBuilder, lean
from oracles import complex_step
from sparsejac.elimination import expansion, slots
from sparsejac.elimination.common_points import MOST_CELLS, SHARED, shared_cells
from sparsejac.elimination.demands import listed
from sparsejac.elimination.expansion import OUTPUT, Term, X
from sparsejac.elimination.locality import LEAST, nearby, together
from sparsejac.primitives import PRIMITIVES

lists_of_numbers = st.lists(st.lists(st.integers(0, 12), max_size=12), max_size=5)


@given(lists_of_numbers)
def test_cells_are_those_of_a_dictionary(lists: list[list[int]]) -> None:
    found = shared_cells([np.array(numbers, dtype=np.int64) for numbers in lists])
    members = defaultdict(list)
    for k, numbers in enumerate(lists):
        for place, number in enumerate(numbers):
            members[number].append((k, place))
    kinds = defaultdict(list)
    for number in sorted(members):
        kinds[tuple(k for k, _ in members[number])].append(number)
    repeats = any(len(set(numbers)) < len(numbers) for numbers in lists)
    total = sum(map(len, lists))
    if len(lists) < 2 or not all(lists) or repeats or len(kinds) > MOST_CELLS or len(members) > SHARED * total:
        assert found is None
        return
    assert found is not None
    assert sorted(numbers.tolist() for numbers, _ in found) == sorted(kinds.values())
    for numbers, places in found:
        assert [k for k, _ in places] == list(next(kind for kind, n in kinds.items() if n == numbers.tolist()))
        for k, where in places:
            assert [lists[k][place] for place in where] == numbers.tolist()


maps = st.builds(
    lambda axes, offset: Affine(
        tuple(n for n, _ in axes), offset - sum(min(0, s * (n - 1)) for n, s in axes), tuple(s for _, s in axes)
    ),
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0, 1, 2, 3, 4, 6, -1, -3])), min_size=1, max_size=2),
    st.integers(0, 6),
)


@settings(max_examples=200)
@given(maps, maps)
def test_pieces_are_met_by_steps_as_by_their_places(store: Affine, places: Affine) -> None:
    if len(set(store.table().tolist())) < store.points:
        return
    found = expansion._met_by_steps(store, places)
    size = 1 + int(max(store.table().max(), places.table().max()))
    points, read = expansion._met(store, size, places.table())
    if found is not None:
        assert found[0].table().tolist() == points.table().tolist()
        assert found[1].table().tolist() == read.table().tolist()
        assert len(found[0].box) == 1


def test_parts_side_by_side_are_met_by_steps() -> None:
    """Three components, point by point: the second of them is all that a view of the second reads."""
    column, other = Affine((5,), 1, (3,)), Affine((5,), 2, (3,))
    found = expansion._met_by_steps(column, column)
    assert found is not None
    assert (found[0], found[1].table().tolist()) == (identity(5), list(range(5)))
    missed = expansion._met_by_steps(other, column)
    assert missed is not None
    assert missed[0].points == 0
    assert expansion._met_by_steps(column, Table((2,), np.array([1, 4]))) is None


@given(
    st.integers(0, 4), st.lists(st.tuples(st.sampled_from(["add", "multiply"]), st.integers(0, 9), st.integers(0, 9)))
)
def test_a_lean_kernel_has_the_loads_that_count(loads: int, steps: list[tuple[str, int, int]]) -> None:
    build = KernelBuilder(loads)
    values = [*range(loads), build.literal(1.5)]
    for name, a, b in steps:
        values.append(build.apply(PRIMITIVES[name].operation, values[a % len(values)], values[b % len(values)]))
    kernel = build.build(values[-1], values[len(values) // 2])
    made, kept = lean(kernel)
    given = np.random.default_rng(0).uniform(1.0, 2.0, loads)
    assert _run(made, given[list(kept)]) == _run(kernel, given)
    for k in range(loads):  # whatever is left out counts for nothing, and nothing else is left out
        reaches = any(k in i.operands for i in kernel.instructions) or k in kernel.outputs
        assert (k in kept) == reaches


def _run(kernel: Kernel, given: np.ndarray) -> list[float]:
    values = [float(x) for x in given]
    for i in kernel.instructions:
        values.append(
            i.literal if i.operation is None else float(i.operation.evaluate(*(values[o] for o in i.operands)))
        )
    return [values[o] for o in kernel.outputs]


def frame(nodes: int, links: int, held: int) -> tuple[Any, np.ndarray]:
    """Springs between random nodes on a plane, the first of which are held; forces on the others."""
    random = np.random.default_rng(7)
    one = random.integers(0, nodes, links)
    other = (one + random.integers(1, nodes, links)) % nodes
    place = random.uniform(0.0, 9.0, (nodes, 2))

    def forces(u: Any) -> Any:
        position = np.zeros((nodes, 2), dtype=u.dtype)
        position[:] = place
        position[held:] += u.reshape(-1, 2)
        along = position[other] - position[one]
        length = np.sqrt(np.sum(along**2, axis=1))
        pull = along * (1.0 - 1.0 / length)[:, None]
        total = np.zeros((nodes, 2), dtype=u.dtype)
        np.add.at(total, one, pull)
        np.add.at(total, other, -pull)
        return total[held:].ravel()

    return forces, random.uniform(-0.1, 0.1, 2 * (nodes - held))


def roots_of(sweeps: list[Any]) -> int:
    """How many square roots are computed."""
    counts = (
        sum(i.operation is not None and i.operation.name == "sqrt" for i in s.kernel.instructions) for s in sweeps
    )
    return sum(sweep.points * count for sweep, count in zip(sweeps, counts, strict=True))


def sweeps_of(f: Any, x: np.ndarray) -> tuple[Any, list[Any]]:
    plan = sparsejac.prepare(f, x, strategy="elimination")
    return plan, list(plan._variants.first.engine.prepared.sweeps)


@pytest.mark.parametrize("held", [1, 3])
def test_what_most_links_have_in_common_is_computed_once(held: int) -> None:
    f, x = frame(40, 200, held)
    plan, sweeps = sweeps_of(f, x)
    np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-9, atol=1e-11)
    assert roots_of(sweeps) <= 220  # one for each link, but for those that are met in several sweeps


def mesh(n: int) -> tuple[Any, np.ndarray]:
    """Links between neighbours on a line and the next but one, in random order."""
    ends = np.concatenate([[(k, k + 1), (k, k + 2)] for k in range(n - 2)])
    one, other = np.random.default_rng(1).permutation(ends).T

    def f(u: Any) -> Any:
        pull = (u[other] - u[one]) ** 3
        total = np.zeros(n)
        np.add.at(total, one, pull)
        np.add.at(total, other, -pull)
        return total

    return f, np.random.default_rng(3).uniform(-1.0, 1.0, n)


@pytest.mark.parametrize("n", [LEAST // 4, LEAST])
def test_elements_in_random_order_are_swept_in_that_of_their_nodes(n: int) -> None:
    f, x = mesh(n)
    plan, sweeps = sweeps_of(f, x)
    expected = sparsejac.prepare(f, x, strategy="identity")
    np.testing.assert_allclose(plan.values(x), expected.values(x), rtol=1e-13, atol=1e-13)
    largest = max(sweeps, key=lambda sweep: sweep.points)
    stores = [np.asarray(store.access.address.table(), dtype=np.int64) for store in largest.stores]
    far = max(np.count_nonzero(np.abs(np.diff(places)) > 16) for places in stores)
    assert (far > largest.points // 2) == (n < LEAST)


def test_terms_that_never_met_stay_as_they_are() -> None:
    n = 2 * LEAST
    near = Term(OUTPUT, X, identity(n), Affine((n,), n - 1, (-1,)), ())
    few = listed(np.random.default_rng(0).permutation(50))
    alone = Term(OUTPUT, X, few, few, ())
    assert together([near, alone]) == nearby([near, alone]) == [near, alone]
    assert together([]) == nearby([]) == []


def test_terms_keep_all_their_points() -> None:
    random = np.random.default_rng(4)
    rows = random.integers(0, 1000, 3 * LEAST)
    columns = random.integers(0, 1000, 3 * LEAST)
    origin = object()
    points = [random.permutation(3 * LEAST), random.permutation(3 * LEAST)[: 2 * LEAST]]
    terms = [Term(OUTPUT, X, listed(rows[p]), listed(columns[p]), (), origin, listed(p)) for p in points]
    cut = together(terms)
    assert len(cut) == 3
    for found in (cut, nearby(terms), nearby(cut)):
        pairs = [np.stack([t.rows.table(), t.columns.table()]) for t in found]
        got = np.concatenate(pairs, axis=1)
        wanted = np.stack([np.concatenate([array[p] for p in points]) for array in (rows, columns)])
        assert np.array_equal(got[:, np.lexsort(got)], wanted[:, np.lexsort(wanted)])
    assert all(isinstance(term.rows, Table) for term in cut)


def test_corners_of_an_element_stay_together_though_some_are_held() -> None:
    """Triangles with numbers at their corners, of which those on the rim are given: one root for each triangle."""
    node = np.arange(49).reshape(7, 7)
    corners = np.concatenate(
        [
            np.stack([node[:-1, :-1], node[:-1, 1:], node[1:, :-1]], axis=-1).reshape(-1, 3),
            np.stack([node[1:, 1:], node[1:, :-1], node[:-1, 1:]], axis=-1).reshape(-1, 3),
        ]
    )
    corners = np.random.default_rng(2).permutation(corners)
    free = node[1:-1, 1:-1].ravel()

    def f(u: Any) -> Any:
        values = np.ones(49, dtype=u.dtype)
        values[free] = u
        local = values[corners]
        mean = np.sqrt(local[:, 0] * local[:, 1] + local[:, 2] ** 2)
        residual = np.zeros(49, dtype=u.dtype)
        np.add.at(residual, corners, local * mean[:, None])
        return residual[free]

    x = np.random.default_rng(3).uniform(0.5, 1.5, len(free))
    plan, sweeps = sweeps_of(f, x)
    np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-12, atol=1e-13)
    assert roots_of(sweeps) <= 1.1 * len(corners)


@pytest.mark.parametrize("is_shared", [False, True])
def test_entries_of_several_terms(is_shared: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one thread, and by two; one term has places that the pattern lacks, one comes twice."""
    rng = np.random.default_rng(0)
    entries = np.argwhere(rng.random((9, 7)) < 0.5)
    pattern = sparsejac.Pattern.from_coo(*entries.T, (9, 7))
    chosen = [rng.permutation(len(entries)) for _ in range(4)]
    pairs = [tuple(listed(entries[order, axis]) for axis in (0, 1)) for order in chosen]
    pairs += [pairs[0], (identity(7), identity(7))]
    monkeypatch.setattr(slots, "FOUND", 10**9 if is_shared else 0)
    finder = slots.EntryFinder(pattern)
    finder.find_all(pairs)
    assert len(finder._found) == (5 if is_shared else 0)
    places = {tuple(entry): k for k, entry in enumerate(entries.tolist())}
    for rows, columns in pairs:
        expected = [
            places.get(entry, -1) for entry in zip(rows.table().tolist(), columns.table().tolist(), strict=True)
        ]
        address, found = finder.find(rows, columns)
        assert (address is None) == (-1 in expected)
        assert (found if address is None else address.table()).tolist() == expected
