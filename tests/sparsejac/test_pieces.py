"""Maps cut at the pieces that they read: the same values and derivatives, in few launches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.families.registry import FAMILIES
from dense_checks import check
from kernels import NumpyExecutor, Schedule, allocate
from kernels.address import Affine, Table
from kernels.checks import check_schedule
from oracles import Array, complex_step
from sparsejac import jacobian_sparsity, prepare, value_and_jacobian
from sparsejac.pieces import pieces, readings
from sparsejac.pieces.boxes import SplitError, UnalignedError, halved_store, inside, overlap, uncovered, upright
from sparsejac.pieces.pieces import in_pieces
from sparsejac.pieces.readings import MOST_PARTS
from sparsejac.pieces.runs import affine_runs
from sparsejac.programs.addressing import recognised
from sparsejac.programs.program import Program, is_zero
from sparsejac.schedules.fusion import schedule
from sparsejac.tracing.run import Traced
from traced_functions import program_of, trace

Slices = tuple[slice, ...]
PARTS = (slice(1, None), slice(None, -1), slice(1, -1), slice(None), slice(None, None, -1), slice(2, None), slice(0, 1))


@dataclass(frozen=True)
class Step:
    """One statement of a random program: what is done, and numbers that choose operands and places."""

    kind: str
    operand: int
    places: tuple[int, int, int]
    axis: int


@dataclass(frozen=True)
class Layered:
    """A function of one array that puts arrays together and takes them apart; it prints itself when a test fails."""

    shape: tuple[int, ...]
    steps: tuple[Step, ...]

    def __call__(self, x: Array) -> Any:
        """Run the statements on a pool of arrays of one rank; give the last two, joined."""
        pool: list[Any] = [x]
        for step in self.steps:
            y = pool[-1 - step.operand % min(len(pool), 3)]
            made = STEPS[step.kind](y, step)
            pool.append(made if made.size <= 400 else y)
        return np.concatenate([pool[-1].ravel(), pool[len(pool) // 2].ravel()])

    def point(self) -> Array:
        """Give a point."""
        return np.random.default_rng(len(self.steps)).uniform(0.3, 1.4, self.shape)


def _part(y: Any, step: Step) -> Slices:
    return tuple(PARTS[k % len(PARTS)] for k in step.places[: y.ndim])


def _line(y: Any, step: Step, part: slice) -> Slices:
    return (*[slice(None)] * (step.axis % y.ndim), part)


def _rim(y: Any, step: Step) -> Any:
    u = np.zeros(tuple(n + 2 for n in y.shape))
    u[(slice(1, -1),) * y.ndim] = y
    return u


def _written(y: Any, step: Step) -> Any:
    z = np.full(y.shape, 0.25 * (step.axis % 2))
    part = _part(y, step)
    z[part] = 2.0 * y[part]
    return z


def _added(y: Any, step: Step) -> Any:
    z = np.sin(y)
    z[_line(y, step, slice(1, None))] += y[_line(y, step, slice(None, -1))]
    z[_line(y, step, slice(None, -1))] -= 0.5 * y[_line(y, step, slice(1, None))]
    return z


def _stencil(y: Any, step: Step) -> Any:
    if min(y.shape) < 3:
        return y * y
    low, middle, high = (y[_line(y, step, part)] for part in (slice(None, -2), slice(1, -1), slice(2, None)))
    return high * low - 2.0 * middle


def _doubled(y: Any, step: Step) -> Any:
    return np.concatenate([y, 3.0 * y[_line(y, step, slice(0, 1))], np.ones_like(y), y * y], axis=step.axis % y.ndim)


def _stacked(y: Any, step: Step) -> Any:
    return np.stack([y, np.cos(y)]).reshape((2 * y.shape[0], *y.shape[1:]))


STEPS: dict[str, Callable[[Any, Step], Any]] = {
    "rim": _rim,
    "written": _written,
    "added": _added,
    "stencil": _stencil,
    "joined": _doubled,
    "stacked": _stacked,
    "rolled": lambda y, step: y + np.roll(y, step.places[0] - 3, step.axis % y.ndim) * 0.5,
    "edge": lambda y, step: np.pad(y, 1, mode="edge") if min(y.shape) else y,
    "turned": lambda y, step: y.T * 2.0,
    "taken": lambda y, step: y[_part(y, step)] * 1.5,
    "flat": lambda y, step: (y.ravel() * y.ravel()).reshape(y.shape),
    "totals": lambda y, step: y * y.sum(axis=step.axis % y.ndim, keepdims=True),
}

shapes = st.integers(1, 3).flatmap(lambda rank: st.tuples(*[st.integers(0 if rank < 3 else 1, 7 - rank)] * rank))
steps = st.builds(
    Step, st.sampled_from(sorted(STEPS)), st.integers(0, 2), st.tuples(*[st.integers(0, 6)] * 3), st.integers(0, 2)
)
layered = st.builds(Layered, shapes, st.lists(steps, min_size=1, max_size=6).map(tuple))


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut however small a vector is."""
    monkeypatch.setattr(pieces, "TINY", 0)
    monkeypatch.setattr(pieces, "SMALL", 4)
    monkeypatch.setattr(readings, "SMALL", 4)


def results(made: Schedule, traced: Traced, x: Array) -> list[Array]:
    """All that a schedule computes for its readers: the result and the values of decisions."""
    buffers = allocate(made)
    for buffer, given_ in zip(made.inputs, [np.ravel(x), *traced.constants], strict=True):
        buffers[buffer][:] = given_
    NumpyExecutor(made).values(buffers)
    return [buffers[b] for b in (made.output, *(guard.buffer for guard in made.guards))]


def _view(grid: tuple[int, ...], draw: Random) -> NDArray[np.int64]:
    """Places of a slice of a grid, turned or flat now and then."""
    parts = []
    for n in grid:
        first = draw.randrange(n)
        part = slice(first, draw.randint(first + 1, n), draw.choice([1, 1, 1, 2]))
        parts.append(part)
    view = np.arange(np.prod(grid)).reshape(grid)[tuple(parts)]
    view = view[::-1] if draw.random() < 0.2 else view
    view = view.T if draw.random() < 0.3 else view
    return view.reshape(-1) if view.flags.c_contiguous and draw.random() < 0.3 else view


def _address(view: NDArray[np.int64]) -> Affine:
    strides = tuple(stride // view.itemsize for stride in view.strides)
    return Affine(view.shape, int(view.reshape(-1)[0]), strides)


def launches(name: str, n: int) -> tuple[int, int]:
    """Launches of a family, before and after."""
    problem = FAMILIES[name].make(n)
    program = program_of(problem.f, problem.x)
    return len(schedule(program).launches), len(schedule(in_pieces(program)).launches)


@pytest.mark.usefixtures("any_size")
@settings(max_examples=40)
@given(layered)
def test_values_stay_to_the_last_bit(f: Layered) -> None:
    x = f.point()
    traced = trace(f, x)
    cut = in_pieces(traced.program)
    made = schedule(cut)
    check_schedule(made)
    for before, after in zip(results(schedule(traced.program), traced, x), results(made, traced, x), strict=True):
        assert before.tobytes() == after.tobytes()
    np.testing.assert_allclose(results(made, traced, x)[0], np.ravel(f(x)), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("any_size")
@settings(max_examples=12)
@given(layered)
def test_derivatives_of_all_strategies(f: Layered) -> None:
    check(f, f.point(), strategies=True)


@pytest.mark.usefixtures("any_size")
@settings(max_examples=50)
@given(layered)
def test_programs_stay_well_formed(f: Layered) -> None:
    """Operands come before their readers, each node has its line of f, and few nodes are made."""
    program = program_of(f, f.point())
    cut = in_pieces(program)
    seen: set[int] = set()
    for node in cut.nodes:
        assert all(load.node.index in seen for load in node.operands())
        seen.add(node.index)
    assert len(seen) == len(cut.nodes) == len(cut.sites)
    assert (cut.digest, cut.constants, cut.input_sizes) == (program.digest, program.constants, program.input_sizes)
    assert len(cut.nodes) <= (len(program.nodes) + 10) * MOST_PARTS
    assert all(len(node.pieces) <= MOST_PARTS for node in cut.nodes if node not in program.nodes)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("broyden", 4, 3),  # first, middle, last
        ("bratu", 2, 6),  # the rim is no vector any more; edges and corners of one form go together
        ("bratu_edges", 10, 3),  # middle, edges, corners
        ("brusselator", 2, 4),  # two species, each its middle and its rim
    ],
)
def test_launches_of_families(name: str, before: int, after: int) -> None:
    assert launches(name, 10_000) == (before, after)
    problem = FAMILIES[name].make(10_000)
    made = schedule(in_pieces(program_of(problem.f, problem.x)))
    constants = [b for b in made.inputs if b != made.x]
    read = {load.buffer for launch in made.launches for load in launch.loads}
    assert read <= {made.x, *constants}, "each launch reads x and constants only"


@pytest.mark.parametrize(("name", "most"), [("weno", 6), ("steps", 22)])
def test_families_of_several_stages(name: str, most: int) -> None:
    """Fluxes over the middle and over the wrapped ends; one launch for each time step but the first."""
    assert launches(name, 10_000)[1] <= most


@pytest.mark.parametrize("name", ["broyden", "bratu", "bratu_edges", "brusselator"])
def test_launches_do_not_grow_with_size(name: str) -> None:
    assert launches(name, 5_000)[1] == launches(name, 200_000)[1]


affine = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([0, 1, 2, 3, 4, 6, 12, -1, -3])), min_size=1, max_size=2
).flatmap(lambda axes: st.builds(_from_zero, st.just(axes), st.integers(0, 6)))


def _from_zero(axes: list[tuple[int, int]], offset: int) -> Affine:
    """A map by lengths and strides, whose lowest place is `offset`."""
    low = sum(min(0, s * (n - 1)) for n, s in axes)
    return Affine(tuple(n for n, _ in axes), offset - low, tuple(s for _, s in axes))


@settings(max_examples=100)
@given(affine, affine)
@example(Affine((3, 3), 2, (1, 1)), Affine((3, 2), 6, (1, 6)))
def test_overlaps_of_maps_against_sets(reader: Affine, store: Affine) -> None:
    """Also where dimensions of the reader move along one axis and carry into the next: windows of a vector."""
    if len(set(store.table().tolist())) < store.points:
        return
    try:
        part, _ = upright(store)
        found = overlap(reader, part)
    except (SplitError, UnalignedError):
        return
    both = np.isin(reader.table(), part.table()).reshape(reader.box)
    marked = np.zeros(reader.box, dtype=bool)
    if found is not None:
        ranges, points = found
        marked[tuple(slice(low, high) for low, high in ranges)] = True
        places = Affine(reader.box, reader.offset, reader.strides).table().reshape(reader.box)
        assert part.table()[inside(points, ranges).table()].tolist() == places[marked].tolist()
    assert np.array_equal(marked, both)


@pytest.mark.parametrize(
    ("reader", "part"),
    [(Affine((3,), 0, (2,)), Affine((3,), 7, (3,))), (Affine((3,), 11, (-2,)), Affine((2,), 1, (3,)))],
)
def test_maps_that_are_far_apart_meet_nowhere(reader: Affine, part: Affine) -> None:
    """Also where their strides divide no axis alike, so that nothing else could be told."""
    assert np.intersect1d(reader.table(), part.table()).size == 0
    assert overlap(reader, part) is None


views = st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(
    lambda grid: st.tuples(*[st.builds(_view, st.just(tuple(grid)), st.randoms(use_true_random=False))] * 2)
)


@settings(max_examples=120)
@given(views)
def test_overlaps_against_sets(pair: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    """Which points of a view read places of another one, and which of its points they are."""
    reader, part = pair
    places, order = upright(_address(part))
    assert part.reshape(-1)[order.table()].tolist() == places.table().tolist()
    address = _address(reader)
    try:
        found = overlap(address, places)
    except SplitError as split:
        address = halved_store(address, split)
        reader = reader.reshape(address.box)
        found = None
        part = part[:0]
    except UnalignedError:
        return
    assert address.table().tolist() == reader.reshape(-1).tolist()
    both = np.isin(reader, part)
    if found is None:
        assert not both.any()
        return
    ranges, points = found
    box = tuple(slice(low, high) for low, high in ranges)
    marked = np.zeros(reader.shape, dtype=bool)
    marked[box] = True
    assert np.array_equal(marked, both)
    assert places.table()[inside(points, ranges).table()].tolist() == reader[box].reshape(-1).tolist()


@given(views)
def test_what_is_uncovered(pair: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
    store, later = pair
    try:
        left = uncovered(_address(store), [upright(_address(later))[0]], 8)
    except UnalignedError:
        return
    found = np.concatenate([[], *(places.table() for places, _ in left)])
    assert sorted(found.tolist()) == sorted(set(store.flat) - set(later.flat))
    for places, points in left:
        assert store.reshape(-1)[points.table()].tolist() == places.table().tolist()


@given(st.integers(2, 9), st.integers(2, 9), st.integers(-9, 9), st.integers(0, 1), st.booleans())
def test_rolls_are_affine_runs(rows: int, columns: int, shift: int, axis: int, once: bool) -> None:
    places = np.roll(np.arange(rows * columns).reshape(rows, columns), shift, axis if once else (0, 1))
    found = affine_runs(Table(places.shape, places.reshape(-1)), 32)
    if found is None:
        assert isinstance(recognised(places), Affine)
        return
    for cell, run in found:
        assert inside(run, cell).table().tolist() == places[tuple(slice(a, b) for a, b in cell)].reshape(-1).tolist()
    assert sum(inside(run, cell).points for cell, run in found) == places.size
    assert len(found) <= 4


def test_shuffled_places_are_no_runs() -> None:
    places = np.random.default_rng(1).permutation(1000)
    assert affine_runs(Table((1000,), places), 32) is None
    assert affine_runs(Table((10, 100), places), 32) is None


@pytest.mark.parametrize("name", ["bratu", "bratu_edges", "broyden"])
def test_most_points_are_read_without_tables(name: str) -> None:
    """Tables are as long as the rim at most."""
    problem = FAMILIES[name].make(10_000)
    made = schedule(in_pieces(program_of(problem.f, problem.x)))
    tables = [load.address for launch in made.launches for load in launch.loads if not hasattr(load.address, "offset")]
    assert all(address.points <= 4 * 100 for address in tables)


def bratu(x: Array) -> Any:
    u = np.zeros((x.shape[0] + 2, x.shape[1] + 2))
    u[1:-1, 1:-1] = x
    return u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4.0 * u[1:-1, 1:-1] + np.exp(u[1:-1, 1:-1])


def edges(x: Array) -> Any:
    y = -4.0 * x
    y[1:] += x[:-1]
    y[:-1] += x[1:]
    y[:, 1:] += x[:, :-1]
    y[:, :-1] += x[:, 1:]
    return np.exp(y) * x


def in_space(x: Array) -> Any:
    u = np.pad(x, 1)
    middle = slice(1, -1)
    across = u[2:, middle, middle] * u[:-2, middle, middle]
    return across + u[middle, 2:, middle] + u[middle, :-2, middle] - u[middle, middle, 2:] * u[middle, middle, :-2]


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("f", [bratu, edges])
@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1, 4), (2, 3), (3, 2), (3, 5)])
def test_grids_without_a_middle(f: Callable[[Array], Any], shape: tuple[int, int]) -> None:
    check(f, np.random.default_rng(2).uniform(0.1, 0.9, shape), strategies=True)


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 3), (3, 4, 2), (4, 3, 5)])
def test_grids_in_space(shape: tuple[int, int, int]) -> None:
    x = np.random.default_rng(3).uniform(0.4, 0.9, shape)
    traced = trace(in_space, x)
    made = schedule(in_pieces(traced.program))
    assert results(made, traced, x)[0].tobytes() == np.ravel(in_space(x)).tobytes()
    check(in_space, x)


def test_negative_zeros_beside_a_rim() -> None:
    """0.0 + -0.0 is 0.0: the addition of what stands beyond the rim is not left out."""

    def f(x: Array) -> Any:
        u = np.zeros(x.size + 1)
        u[1:] = x
        return u[:-1] + u[1:]

    x = np.full(100, -0.0)
    traced = trace(f, x)
    made = schedule(in_pieces(traced.program))
    assert results(made, traced, x)[0].tobytes() == f(x).tobytes()


def test_what_is_multiplied_by_the_rim_is_no_entry() -> None:
    def f(x: Array) -> Any:
        u = np.zeros(x.size + 2)
        u[1:-1] = x
        return u[1:-1] * u[2:] * u[:-2]

    pattern = jacobian_sparsity(f, np.ones(100))
    rows = np.diff(pattern.indptr)
    assert rows[[0, -1]].tolist() == [0, 0]
    assert set(rows[1:-1].tolist()) == {3}


def test_later_pieces_win() -> None:
    """An inactive base lies under what is written later, part by part."""

    def f(x: Array) -> Any:
        u = np.ones((12, 9))
        u[2:-2, 1:-1] = x
        u[3:5, 2:4] = 7.0
        return u[1:] * u[:-1]

    x = np.random.default_rng(5).uniform(0.5, 1.5, (8, 7))
    traced = trace(f, x)
    assert results(schedule(in_pieces(traced.program)), traced, x)[0].tobytes() == np.ravel(f(x)).tobytes()
    check(f, x)


@pytest.mark.parametrize("n", [7, 90, 400])
@pytest.mark.parametrize("late", [slice(3, 5), slice(None, None, 3), slice(-1, None)])
def test_what_was_written_over_is_not_read_there(n: int, late: slice) -> None:
    """Values of an argument, stored in an array that is read at shifts; a part of it is written once more."""

    def f(x: Array, a: Array) -> Any:
        m = np.exp(np.sin(a) * np.cos(a)) / np.sqrt(2.0 + a**2)
        u = np.zeros(x.shape, dtype=x.dtype)
        u[:] = m
        u[late] = x[late]
        return u[1:] * u[:-1] * np.sin(u[1:]) + m[1:] * x[1:]

    x, a = np.linspace(0.5, 1.5, n), np.linspace(2.0, 1.0, n)
    y, jacobian = prepare(f, x, a).value_and_jacobian(x, a)
    np.testing.assert_allclose(y, f(x, a), rtol=1e-14)
    np.testing.assert_allclose(jacobian.toarray(), complex_step(lambda x: f(x, a), x), rtol=1e-13, atol=1e-15)


def test_a_loop_of_scalars_costs_nothing() -> None:
    def f(x: Array) -> Any:
        y = np.zeros(x.size)
        for i in range(1, x.size):
            y[i] = x[i] * x[i - 1]
        return y

    program = program_of(f, np.ones(200))
    assert in_pieces(program) is program


def time_steps(count: int) -> Callable[[Array], Any]:
    def f(x: Array) -> Any:
        u = x
        for _ in range(count):
            v = u * 1.0
            v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2]) * u[1:-1]
            u = v
        return u

    return f


def padded_steps(count: int) -> Callable[[Array], Any]:
    def f(x: Array) -> Any:
        u = x
        for _ in range(count):
            p = np.pad(u, 1)
            u = u + 0.1 * (p[2:] - 2.0 * u + p[:-2]) * u
        return u

    return f


@pytest.mark.parametrize("steps_of", [time_steps, padded_steps])
def test_time_steps_neither_multiply_nor_repeat(steps_of: Callable[[int], Callable[[Array], Any]]) -> None:
    """Each step stores its result once; launches and work grow as the steps do, and kernels are those of few steps."""

    def size(count: int) -> tuple[int, int, int]:
        made = schedule(in_pieces(program_of(steps_of(count), np.ones(500))))
        work = sum(launch.points * launch.kernel.weight for launch in made.launches)
        return len(made.launches), work, len({launch.kernel.digest for launch in made.launches})

    (few, some_work, kernels), (many, more_work, more_kernels) = size(10), size(20)
    assert many <= 2 * few
    assert more_work <= 2.2 * some_work
    assert more_kernels <= kernels + 1
    assert some_work <= 10 * 500 * 2 * 7


def test_a_stencil_that_costs_much_is_not_repeated_at_each_shift() -> None:
    def f(x: Array) -> Any:
        u = np.zeros(x.size + 4)
        u[2:-2] = np.exp(np.sin(x))
        return u[4:] + u[3:-1] * u[2:-2] + u[1:-3] * u[:-4]

    x = np.linspace(0.0, 1.0, 300)
    made = schedule(in_pieces(program_of(f, x)))
    counted = sum(
        launch.points * [i.operation.name for i in launch.kernel.instructions if i.operation].count("exp")
        for launch in made.launches
    )
    assert counted <= 300
    check(f, x[:7])


def test_decisions_and_sums_beside_pieces() -> None:
    def f(x: Array) -> Any:
        y = 2.0 * x
        y[1:] -= x[:-1]
        y = y * y if (y > -10.0).all() else y
        return np.concatenate([y, [y.sum()]])

    x = np.random.default_rng(7).uniform(0.5, 1.5, 90)
    plan = prepare(f, x)
    flipped = -100.0 * x
    for point in (x, flipped):
        check(f, point[:9])
        assert plan(point).toarray().shape == (91, 90)
        np.testing.assert_allclose(plan(point).toarray(), prepare(f, point)(point).toarray())


def test_a_join_without_pieces_is_zero() -> None:
    def f(x: Array) -> Any:
        return np.pad(x, 1)[2:] + x

    cut: Program = in_pieces(program_of(f, np.ones(100)))
    (zero,) = [node for node in cut.nodes if is_zero(node)]
    assert (zero.size, zero.active) == (1, False)
    literals = [i.literal for launch in schedule(cut).launches for i in launch.kernel.instructions if not i.operation]
    assert literals == [0.0]


@pytest.mark.parametrize("strategy", ["elimination", "identity"])
def test_differences_the_other_way_round_are_no_pieces_of_one_form(strategy: Any) -> None:
    """Small pieces u - v and v - u of the same vectors: the order of operands counts."""

    def f(x: Any) -> Any:
        r = np.concatenate([x[:1], x**2, np.sin(x[-1:])])
        near = np.concatenate([r[:3] - np.exp(r[3:6]), np.exp(r[3:6]) - r[:3], r[3:6] - np.exp(r[:3])])
        u, v = x[:2], x[4:6] ** 2
        far = np.concatenate([u - v, v - u, x[2:4] ** 2 - x[4:6], x[2:4] - x[1:3] ** 2])
        return np.concatenate([r[1:] - r[:-1], near, far, far * x])

    x = np.linspace(0.3, 1.7, 8)
    value, jacobian = value_and_jacobian(f, x, strategy=strategy)
    np.testing.assert_allclose(value, f(x), rtol=1e-14)
    expected = np.stack([f(x + 1e-30j * e).imag / 1e-30 for e in np.eye(8)], axis=1)
    np.testing.assert_allclose(jacobian.toarray(), expected, rtol=1e-13, atol=1e-14)
