"""Elimination: terms on the Program, their places among the entries, sweeps and cuts; counted, and against oracles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparsejac
from kernels.address import Affine, Table, identity
from sparsejac.elimination.demands import Demand, frames, part_of
from sparsejac.elimination.expansion import OUTPUT, Term, X
from sparsejac.elimination.placement import place_in_entries
from sparsejac.elimination.slots import EntryFinder
from sparsejac.patterns.pattern import Pattern
from sparsejac.programs.addressing import c_strides, contiguous
from sparsejac.strategies import STRATEGIES

Array = NDArray[np.float64]


def prepared(f: Any, x: Array) -> Any:
    """The strategy with all that it worked out."""
    plan = sparsejac.prepare(f, x, strategy="elimination")
    return plan._variants.known[0].engine.prepared


def complex_step(f: Any, x: Array) -> Array:
    """Dense oracle."""
    step = 1e-30
    columns = [np.imag(f(x + step * 1j * unit)).ravel() / step for unit in np.eye(x.size)]
    return np.array(columns).T.reshape(-1, x.size)


@st.composite
def parts(draw: st.DrawFn) -> tuple[tuple[int, ...], Affine]:
    """A box, and an address that leads to each point of a part of it once, with axes in any order and direction."""
    box = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    units = c_strides(box)
    offset, axes = 0, []
    for axis, length in enumerate(box):
        low = draw(st.integers(0, length - 1))
        count = draw(st.integers(1, length - low))
        backwards = draw(st.booleans())
        offset += (low + (count - 1 if backwards else 0)) * units[axis]
        axes.append((count, -units[axis] if backwards else units[axis]))
    axes = draw(st.permutations(axes))
    return box, Affine(tuple(n for n, _ in axes), offset, tuple(s for _, s in axes))


@given(parts())
def test_the_part_of_a_box_leads_back_to_the_points(case: tuple[tuple[int, ...], Affine]) -> None:
    box, address = case
    part = part_of(address, box)
    if part is None:  # allowed where an axis of length 1 makes the steps ambiguous
        assert 1 in box
        return
    numbers = np.arange(np.prod(box)).reshape(box)
    inside = numbers[tuple(slice(a, a + n) for a, n in zip(part.low, part.lengths, strict=True))]
    back = part.back()
    np.testing.assert_array_equal(address.table()[back.table()], inside.ravel())


@given(st.lists(parts(), min_size=1, max_size=4))
def test_frames_ask_for_what_the_demands_ask_for(cases: list[tuple[tuple[int, ...], Affine]]) -> None:
    box = cases[0][0]
    size = int(np.prod(box))
    demands = [Demand(OUTPUT, address, (), address) for _, address in cases if address.table().max() < size]
    found = [
        (row, place)
        for frame in frames(demands, box)
        for demand in frame.demands
        for row, place in zip(demand.rows.table(), frame.address.table(), strict=True)
    ]
    wanted = [(place, place) for demand in demands for place in demand.address.table()]
    assert sorted(found) == sorted(wanted)


def test_points_asked_for_in_any_order_are_those_of_the_node() -> None:
    order = np.array([2, 0, 1, 3], dtype=np.int32)
    (frame,) = frames([Demand(OUTPUT, identity(4), (), Table((4,), order))], (2, 2))
    assert frame.address == contiguous((2, 2))
    np.testing.assert_array_equal(frame.demands[0].rows.table(), np.argsort(order))


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 7))
def test_entries_are_found(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.random((rows, columns)) < 0.5
    pattern = Pattern.from_coo(*np.nonzero(dense), dense.shape)
    number = {place: k for k, place in enumerate(zip(*map(np.ndarray.tolist, np.nonzero(dense)), strict=True))}
    asked = Table((9,), random.integers(0, rows, 9)), Table((9,), random.integers(0, columns, 9))
    wanted = [number.get(place, -1) for place in zip(*(a.places.tolist() for a in asked), strict=True)]
    address, slots = EntryFinder(pattern).find(*asked)
    found = slots if address is None else address.table()
    assert found is not None
    assert found.tolist() == wanted
    assert (address is None) == (-1 in wanted)


def test_a_term_without_an_entry_is_an_error_unless_known_to_be_zero() -> None:
    pattern = Pattern.from_coo([0, 2], [0, 2], (3, 3))
    diagonal = Term(OUTPUT, X, identity(3), identity(3), ())
    with pytest.raises(AssertionError, match=r"\(1, 1\)"):
        place_in_entries([diagonal], pattern, 0, known_zeros=False)
    ((placed,),) = place_in_entries([diagonal], pattern, 0, known_zeros=True).groups
    assert placed.address.table().tolist() == [0, 1]


def stencil(x: Array) -> Array:
    y = x**2
    y[1:] -= x[:-1]
    y[:-1] += np.sin(x[1:])
    return y


def elements(x: Array) -> Array:
    """Residuals of pairs, added up."""
    ends = np.array([[0, 3], [3, 1], [1, 2], [2, 0], [4, 0]])
    local = x[ends]
    force = np.einsum("ek,k->e", local, np.array([1.0, -1.0])) ** 3
    r = np.zeros_like(x)
    np.add.at(r, ends, force[:, None] * np.array([0.5, -2.0]))
    return r


def normalised(x: Array) -> Array:
    blocks = x.reshape(3, -1)
    return (blocks / np.sqrt((blocks**2).sum(axis=1))[:, None]).ravel()


def iterated(x: Array) -> Array:
    """Thirty steps of a stencil."""
    u = x
    for _ in range(30):
        flux = np.tanh(u[1:] - u[:-1])
        new = u.copy()
        new[:-1] = new[:-1] + 0.1 * flux
        new[1:] = new[1:] - 0.1 * flux
        u = new
    return u


def reduced(x: Array) -> Array:
    return np.array([np.exp(x).sum() * x[0], (x[:, None] * x).sum()])


@pytest.mark.parametrize("f", [stencil, elements, normalised, iterated, reduced], ids=lambda f: f.__name__)
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_against_complex_steps(f: Any, backend: Any) -> None:
    x = np.random.default_rng(0).uniform(0.2, 1.0, 12)
    J = sparsejac.sparse_jacobian(f, x, strategy="elimination", backend=backend)
    np.testing.assert_allclose(J.toarray(), complex_step(f, x), rtol=1e-12, atol=1e-14)


def test_a_scatter_of_elements_is_one_sweep() -> None:
    """Both sums over ends are written out, and all four entries of an element share one kernel."""
    found = prepared(elements, np.arange(5.0))
    assert (len(found.sweeps), found.cuts, found.zeroed) == (1, 0, True)
    assert len(found.sweeps[0].stores) == 4
    assert any(store.adds for store in found.sweeps[0].stores)


def test_nothing_is_added_where_each_entry_has_one_term() -> None:
    found = prepared(stencil, np.arange(9.0))
    assert not found.zeroed
    assert not any(sweep.adds for sweep in found.sweeps)


def test_what_a_point_wrote_itself_is_added_to() -> None:
    """Rows divided by their norms: the block of a row is stored, then the diagonal added, without zeros before."""
    found = prepared(normalised, np.linspace(0.2, 1.0, 12))
    (sweep,) = found.sweeps
    assert [store.adds for store in sweep.stores] == [False] * 4 + [True]
    assert not found.zeroed


def test_a_function_under_a_dense_matrix_is_differentiated_once_for_each_unknown() -> None:
    """A @ tanh(x): n derivatives of tanh, and n * n products; no value of f is computed."""
    A = np.random.default_rng(1).normal(size=(40, 30))
    found = prepared(lambda x: A @ np.tanh(x), np.ones(30))
    heavy = [sweep for sweep in found.sweeps if sweep.kernel.weight > 8]
    assert sum(sweep.points for sweep in heavy) == 30
    assert found.cuts == 0


def test_deep_iterations_are_cut() -> None:
    found = prepared(iterated, np.linspace(0.0, 1.0, 200))
    assert found.cuts > 0
    assert found.products is not None


@pytest.mark.parametrize("n", [1, 2, 3])
def test_smallest_sizes(n: int) -> None:
    x = np.linspace(0.3, 0.9, n)
    J = sparsejac.sparse_jacobian(stencil, x, strategy="elimination")
    np.testing.assert_allclose(J.toarray(), complex_step(stencil, x), rtol=1e-14)


def test_the_text_shows_what_runs() -> None:
    text = sparsejac.prepare(stencil, np.arange(9.0), strategy="elimination").source()
    assert "def sweep_" in text
    assert "def forward_" not in text


def test_colors_are_refused() -> None:
    with pytest.raises(sparsejac.SparsejacError, match="'elimination' colors nothing"):
        sparsejac.sparse_jacobian(stencil, np.arange(9.0), strategy="elimination", coloring=np.arange(9))


def test_no_unknowns() -> None:
    assert sparsejac.sparse_jacobian(lambda x: x * x, np.empty(0), strategy="elimination").shape == (0, 0)


def test_x_itself() -> None:
    J = sparsejac.sparse_jacobian(lambda x: x, np.arange(3.0), strategy="elimination")
    np.testing.assert_array_equal(J.toarray(), np.eye(3))


def test_value_and_jacobian() -> None:
    """The values that the entries do not need are computed when they are asked for."""
    x = np.linspace(0.1, 0.8, 7)
    plan = sparsejac.prepare(stencil, x, strategy="elimination")
    for point in (x, x + 1.0):
        value, J = plan.value_and_jacobian(point)
        np.testing.assert_array_equal(value, stencil(point))
        np.testing.assert_allclose(J.toarray(), complex_step(stencil, point), rtol=1e-13)


@pytest.mark.parametrize("strategy", ["auto", "elimination"])
@pytest.mark.parametrize("size", [1, 3])
def test_chains_in_which_paths_double_are_cut(strategy: Any, size: int) -> None:
    """Each state is read by the two that follow: all products along paths would be more than anybody could wait for."""
    functions, steps = (np.sin, np.exp, np.cos, np.exp, np.exp, np.cos, np.sin), 50

    def f(x: Any) -> Any:
        before, now = x[-size:], x[:size]
        for i in range(1, steps):
            before, now = now, functions[(i * i) % 7](-0.3 * before) * x[i : i + size] + 0.1 * now
        return np.concatenate([before, now])

    x = np.linspace(1.0, 2.0, steps + size)
    plan = sparsejac.prepare(f, x, strategy=strategy, backend="numpy")
    np.testing.assert_allclose(plan(x).toarray(), complex_step(f, x), rtol=1e-12, atol=1e-15)
    engine: Any = plan._variants.known[0].engine
    found = engine._outline(STRATEGIES["elimination"]).found
    assert found.cuts
    assert len(found.terms) < 64 * steps
