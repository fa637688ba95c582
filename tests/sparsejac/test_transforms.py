"""Transformed Programs: products with the Jacobian and its transpose, against dense Jacobians of whole functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.interpolate
from numpy.typing import NDArray

from cases import Case, oracle, tolerance
from catalogue import CASES
from sparsejac import jvp, vjp
from sparsejac.errors import UntraceableError
from sparsejac.programs.program import Graph
from sparsejac.transforms import check_differentiable_again, gradient_of, linearized, pulled, pushed
from sparsejac.transforms.builder import Builder
from traced_functions import program_of, trace
from transformed import linear_products, pulled_products, pushed_products, run_template

Array = NDArray[np.float64]


def seeds_of(shape: tuple[int, int]) -> Array:
    return np.random.default_rng(shape[0]).normal(size=shape)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_products_are_those_of_the_dense_jacobian(case: Case) -> None:
    x, estimate = case.point(), oracle(case)
    traced = trace(lambda x: case.f(x, *case.args), x)
    jacobian, error = estimate.jacobian, tolerance(estimate)
    v, w = seeds_of((x.size, 3)), seeds_of((len(jacobian), 3))
    allowed_v, allowed_w = error @ np.abs(v), error.T @ np.abs(w)
    forward, reverse = linear_products(traced, x, v, w)
    for found in (pushed_products(traced, x, v), forward):
        assert (np.abs(found - jacobian @ v) <= allowed_v + 1e-300).all()
    for found in (pulled_products(traced, x, w), reverse):
        assert (np.abs(found - jacobian.T @ w) <= allowed_w + 1e-300).all()


@pytest.mark.parametrize("seeds", [None, 1, 4])
def test_the_result_stands_before_the_products(seeds: int | None) -> None:
    x = np.array([0.5, 1.5, -2.5])
    traced = trace(lambda x: np.sin(x[1:]) * x[0], x)
    expected = np.sin(x[1:]) * x[0]
    v = np.ones(3 * (seeds or 1))
    assert run_template(pushed(traced.program, seeds), [x, v], traced.constants)[:2].tolist() == expected.tolist()
    w = np.ones(2 * (seeds or 1))
    assert run_template(pulled(traced.program, seeds), [x, w], traced.constants)[:2].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("f", "size"),
    [
        (lambda x: x, 3),
        (lambda x: np.zeros(4), 2),
        (lambda x: np.zeros(0), 3),
        (lambda x: np.sum(x), 0),
        (lambda x: x[:0] * 2.0, 1),
        (lambda x: x[::-1], 1),
        (lambda x: np.broadcast_to(x, (3, 2)), 2),
    ],
)
def test_small_and_empty(f: Any, size: int) -> None:
    x = np.linspace(0.5, 1.5, size)
    traced = trace(f, x)
    columns = [np.ravel(f(x + e)) - np.ravel(f(x)) for e in np.eye(size)]  # each f is linear
    jacobian = np.array(columns).reshape(size, traced.program.output.size).T
    v, w = seeds_of((size, 3)), seeds_of((len(jacobian), 3))
    forward, reverse = linear_products(traced, x, v, w)
    np.testing.assert_allclose(pushed_products(traced, x, v), jacobian @ v, atol=1e-14)
    np.testing.assert_allclose(forward, jacobian @ v, atol=1e-14)
    np.testing.assert_allclose(pulled_products(traced, x, w), jacobian.T @ w, atol=1e-14)
    np.testing.assert_allclose(reverse, jacobian.T @ w, atol=1e-14)


def masked_log(x: Array) -> Any:
    return np.where(x > 0.0, np.log(x), 0.0)


def log_of_written(x: Array) -> Any:
    y = np.zeros(4)
    y[1:] = x
    return np.log(y)


def log_of_relu(x: Array) -> Any:
    return np.log(np.maximum(x, 0.0))[1:]


def part_of_root(x: Array) -> Any:
    return np.sqrt(x)[1:]


def root_of_selected(x: Array) -> Any:
    return np.sqrt(np.where(x > 0.0, x, 0.0)) + x


def constant_nan(x: Array) -> Any:
    return np.where(x > 0.0, x, x * np.nan)[1:]


@pytest.mark.parametrize(
    ("f", "jacobian"),
    [
        (constant_nan, np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])),
        (masked_log, np.diag([0.0, 0.5, 0.25])),
        (log_of_written, np.vstack([np.zeros(3), np.diag([np.inf, 0.5, 0.25])])),
        (log_of_relu, np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.25]])),
        (part_of_root, np.array([[0.0, 0.5 / np.sqrt(2.0), 0.0], [0.0, 0.0, 0.25]])),
        (root_of_selected, np.diag([1.0, 1.0 + 0.5 / np.sqrt(2.0), 1.25])),
    ],
)
def test_a_zero_of_structure_is_not_multiplied(f: Any, jacobian: Array) -> None:
    """At x[0] = 0 each of these has an infinite partial derivative that no finite result depends on."""
    x = np.array([0.0, 2.0, 4.0])
    traced = trace(f, x)
    for j in range(3):
        if np.isinf(jacobian[:, j]).any():
            continue
        v = np.eye(3)[:, [j, j]]
        if not np.isinf(jacobian).any():
            found = pushed_products(traced, x, np.ones((3, 2)))
            np.testing.assert_allclose(found, jacobian @ np.ones((3, 2)))
            np.testing.assert_allclose(linear_products(traced, x, v, np.ones((len(jacobian), 2)))[0], jacobian @ v)
    w = np.ones((len(jacobian), 2))
    expected = np.where(np.isinf(jacobian), 0.0, jacobian).T @ w
    expected[np.isinf(jacobian).any(axis=0)] = np.inf
    np.testing.assert_allclose(pulled_products(traced, x, w), expected)
    np.testing.assert_allclose(linear_products(traced, x, np.ones((3, 2)), w)[1], expected)


def test_the_tangent_of_a_written_border_stays_zero() -> None:
    x = np.array([1.0, 2.0, 4.0])
    found = pushed_products(trace(log_of_written, x), x, np.ones((3, 1)))
    assert found.ravel().tolist() == [0.0, 1.0, 0.5, 0.25]


def test_a_true_zero_times_infinity_is_not_hidden() -> None:
    """The derivative of sqrt(x)**2 at 0 is not 0; a product that was found as 0 * inf says so."""
    x = np.array([0.0])
    traced = trace(lambda x: np.sqrt(x) ** 2, x)
    assert np.isnan(pushed_products(traced, x, np.ones((1, 1)))).all()
    assert np.isnan(pulled_products(traced, x, np.ones((1, 1)))).all()


@pytest.mark.parametrize("numerator", [0.0, -0.0, 0.3, -7.0, 1e-200, 1e300, np.inf, -np.inf])
@pytest.mark.parametrize("masked", [False, True])
def test_one_constant_over_many_numbers(numerator: float, masked: bool) -> None:
    """Its derivative needs no quotient of its own, and is what one would be: also where divisors are extreme."""
    sizes = np.array([0.0, 1e-300, 1e-160, 1e-100, 0.3, 1.0, 3.7, 1e20, 1e150, 1e300, np.inf])
    x = np.concatenate([sizes, -sizes])
    kept = np.abs(x) > 1e-120

    def f(x: Any) -> Any:
        return np.where(kept, numerator / x, x) if masked else numerator / x

    w = np.linspace(1.0, 2.0, len(x))
    with np.errstate(all="ignore"):
        slope = -((numerator / x) / x)
        expected = w * np.where(kept, slope, 1.0) if masked else w * slope
        pulled_back = vjp(f, x)[1](w)
        pushed_on = jvp(f, x, w)[1]
    for found in (pulled_back, pushed_on):
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-320)


def test_gradient_of_a_gradient_is_the_hessian_of_a_quadratic() -> None:
    a = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, -1.0], [0.0, -1.0, 4.0]])
    x = np.array([0.5, -1.0, 2.0])
    traced = trace(lambda x: 0.5 * x @ a @ x, x)
    gradient = gradient_of(traced.program)
    constants = gradient.constants(traced.constants)
    np.testing.assert_allclose(run_template(gradient, [x], traced.constants), a @ x)
    for column, unit in zip(a, np.eye(3), strict=True):
        twice = pushed(gradient.program)
        np.testing.assert_allclose(run_template(twice, [x, unit], constants)[3:], column)
        back = pulled(gradient.program)
        np.testing.assert_allclose(run_template(back, [x, unit], constants)[3:], column)


def test_third_derivatives() -> None:
    x = np.array([1.3])
    traced = trace(lambda x: np.sin(x[0]) * x[0] ** 3, x)
    first = gradient_of(traced.program)
    second = gradient_of(first.program)
    third = gradient_of(second.program)
    constants = third.constants(second.constants(first.constants(traced.constants)))
    s, c, t = np.sin(1.3), np.cos(1.3), 1.3
    expected = -c * t**3 - 9 * s * t**2 + 18 * c * t + 6 * s
    np.testing.assert_allclose(run_template(third, [x], constants), expected)


def test_linear_functions_are_known_as_such() -> None:
    a = np.arange(6.0).reshape(2, 3)
    assert linearized(program_of(lambda x: a @ x - 2.0 * np.diff(x), np.ones(3))).is_constant
    assert not linearized(program_of(lambda x: a @ x**2, np.ones(3))).is_constant


def test_equal_structure_gives_equal_programs() -> None:
    """What was made for one trace serves another one with other numbers."""
    one, other = (program_of(lambda x, c=c: np.exp(c * x[1:]) * x[:-1], np.full(4, c)) for c in (2.0, 3.0))
    assert one.digest == other.digest
    assert pushed(one, 2).program.digest == pushed(other, 2).program.digest
    assert pulled(one).program.digest == pulled(other).program.digest
    assert pulled(one).program.digest != pulled(one, 1).program.digest


def test_rules_of_first_derivatives_are_not_differentiated_again() -> None:
    check_differentiable_again(program_of(lambda x: np.exp(x) * x.astype(np.float32), np.ones(3)), "hessian")
    splines = program_of(scipy.interpolate.interp1d(np.arange(5.0), np.arange(5.0) ** 2, kind="cubic"), np.ones(3))
    with pytest.raises(UntraceableError, match=r"hessian: sparsejac cannot differentiate .*interp1d.* twice"):
        check_differentiable_again(splines, "hessian")


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.minimum, np.hypot, np.logaddexp, np.fmax])
@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (2, 2)])
def test_an_array_with_itself_along_two_axes(ufunc: Any, shape: tuple[int, int]) -> None:
    """The operands of each pair change places where its axes do."""
    x = np.array([[0.5, 1.5, -1.0], [2.0, -0.25, 3.0]])

    def f(x: Array) -> Any:
        part = x[: shape[0], : shape[1]]
        return ufunc(part[:, None], part) + ufunc(part[..., None], part[:, None])[..., :1]

    traced = trace(f, x)
    steps = [(f(x + e) - f(x - e)) / 2e-6 for e in 1e-6 * np.eye(6).reshape(6, 2, 3)]
    jacobian = np.reshape(steps, (6, -1)).T
    forward, reverse = linear_products(traced, x, np.eye(6), np.eye(len(jacobian)))
    np.testing.assert_allclose(forward, jacobian, atol=1e-8)
    np.testing.assert_allclose(reverse, jacobian.T, atol=1e-8)


def names_of(program: Any) -> set[str]:
    return {node.primitive.name for node in program.nodes if node.primitive is not None}


def test_what_is_known_not_to_count_is_not_read() -> None:
    """The second place of y is a number of f's own: what comes back to it is nobody's, be it infinite or not."""
    c, w = np.array([2.0, np.inf, 3.0, np.nan, 5.0]), np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])

    def f(x: Any) -> Any:
        y = np.zeros(3)
        y[[0, 2]] = x
        return y[[0, 1, 2, 1, 0]] * c

    x = np.array([0.5, 1.5])
    with np.errstate(invalid="ignore"):
        traced = trace(f, x)
        assert "select" not in names_of(pulled(traced.program).program)
        np.testing.assert_array_equal(pulled_products(traced, x, w[:, None])[:, 0], [50002.0, 300.0])
        y, pullback = vjp(f, x)
    np.testing.assert_array_equal(pullback(w), [50002.0, 300.0])
    assert np.isnan(y[[1, 3]]).all()


@pytest.mark.parametrize(
    ("marks", "size"),
    [
        (np.array([[1, 1], [0, 0], [1, 1]]), 3),
        (np.array([[1, 0, 1], [1, 0, 1]]), 3),
        (np.array([[[1, 1], [0, 0]], [[1, 1], [0, 0]], [[1, 1], [0, 0]]]), 2),
        (np.array([[1, 0], [0, 1]]), 4),
        (np.ones((2, 3)), 1),
        (np.zeros((1, 1)), 1),
        (np.array(1), 1),
        (np.ones((0, 2)), 0),
        (np.array([0, 1, 1]), 3),
    ],
)
def test_a_mask_is_stored_once_along_dimensions_in_which_it_does_not_change(marks: Array, size: int) -> None:
    builder, box = Builder(Graph()), marks.shape
    load = builder.on_box(builder.mask(marks.astype(np.bool_).ravel()), box)
    assert load.node.size == size
    assert load.address.box == box
    assert builder.graph.constants[load.node.slot][load.address.table()].tolist() == marks.ravel().tolist()
    owned = builder.owned(box, load)
    assert owned.kind == "constant"
    assert builder.graph.constants[owned.slot].tolist() == marks.ravel().tolist()


def test_masks_of_points_are_read_once_for_all_their_coordinates() -> None:
    """Springs between points of which two are held at one place: what pulls them there is infinite, and nobody's."""
    rest = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.25], [1.5, 1.0], [2.0, -0.5]])
    free, one, other = np.arange(2, 5), np.array([0, 0, 1, 2, 3, 2]), np.array([1, 2, 3, 3, 4, 4])

    def forces(u: Any, springs: Any) -> Any:
        place = rest.astype(u.dtype)
        place[free] += u.reshape(-1, 2)
        along = place[other[springs]] - place[one[springs]]
        pull = (1.0 - 1.0 / np.sqrt(np.sum(along**2, axis=1)))[:, None] * along
        force = np.zeros_like(place)
        np.add.at(force, one[springs], pull)
        np.add.at(force, other[springs], -pull)
        return force[free].ravel()

    u = np.linspace(-0.1, 0.1, 6)
    steps = [forces(u + 1e-30j * unit, slice(1, None)).imag / 1e-30 for unit in np.eye(6)]  # without that spring
    with np.errstate(all="ignore"):
        traced = trace(lambda u: forces(u, slice(None)), u)
        np.testing.assert_allclose(pushed_products(traced, u, np.eye(6)), np.transpose(steps), rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(pulled_products(traced, u, np.eye(6)), steps, rtol=1e-13, atol=1e-13)
        forward, reverse = linear_products(traced, u, np.eye(6), np.eye(6))
    np.testing.assert_allclose(forward, np.transpose(steps), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(reverse, steps, rtol=1e-13, atol=1e-13)
    for made in (pushed(traced.program), pulled(traced.program)):
        assert {len(source) for source in made.sources if not isinstance(source, int)} == {1, len(one)}
        assert "logical_or" not in names_of(made.program)


def test_what_only_constants_take_part_in_pulls_nothing() -> None:
    def f(x: Any) -> Any:
        y = np.zeros(5)
        y[2:] = x
        return y[:2] * np.inf

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(vjp(f, np.ones(3))[1](np.ones(2)), np.zeros(3))


def test_factors_come_out_of_sums() -> None:
    """The cotangent of a norm is a sum of products, divided once for each row."""
    rows, width = 7, 5

    def f(x: Any) -> Any:
        matrix = x.reshape(rows, width)
        return matrix / np.sqrt(np.sum(matrix * matrix, axis=1))[:, None] * 3.0

    x = np.linspace(0.5, 2.0, rows * width)
    traced = trace(f, x)
    made = pulled(traced.program).program
    divided = [node.size for node in made.nodes if node.primitive is not None and node.primitive.name == "divide"]
    assert sorted(set(divided)) == [rows, rows * width]
    assert divided.count(rows * width) == 1  # f's own
    matrix, w = x.reshape(rows, width), np.random.default_rng(0).normal(size=(rows, width))
    norm = np.sqrt((matrix**2).sum(axis=1, keepdims=True))
    expected = 3.0 * (w - matrix * (w * matrix).sum(axis=1, keepdims=True) / norm**2) / norm
    np.testing.assert_allclose(pulled_products(traced, x, w.reshape(-1, 1))[:, 0], expected.ravel(), rtol=1e-13)


@pytest.mark.parametrize("same", [False, True])
def test_shares_of_tables_are_summed_up_apart_or_together(same: bool) -> None:
    """Edges between points of two kinds, or of one: three numbers each, which are met by many edges."""
    rng, edges, points = np.random.default_rng(2), 40, 6
    one, other = rng.integers(0, points, edges), rng.integers(0, points, edges)

    def f(x: Any) -> Any:
        here = x.reshape(-1, 3)
        there = here[:points] if same else here[points:]
        return here[:points][one] * np.exp(there[other])

    x = rng.uniform(0.1, 1.0, 3 * points * (1 if same else 2))
    traced, w = trace(f, x), rng.normal(size=(edges, 3))
    made = pulled(traced.program).program
    joined = [node for node in made.nodes if node.kind == "join" and node.size > x.size]
    assert len(joined) == (3 if same else 0)  # one for each of the three numbers
    here = x.reshape(-1, 3)
    there = here if same else here[points:]
    expected = np.zeros_like(here)
    np.add.at(expected, one, w * np.exp(there[other]))
    np.add.at(expected, other + (0 if same else points), w * here[one] * np.exp(there[other]))
    np.testing.assert_allclose(pulled_products(traced, x, w.reshape(-1, 1))[:, 0], expected.ravel(), rtol=1e-13)


def test_places_of_a_table_among_boxes_that_overlap() -> None:
    """What comes back to a vector by a table and by two slices, each of which meets the others."""
    places, n = np.array([0, 3, 4, 9, 11]), 20

    def f(x: Any) -> Any:
        y = np.sin(x)
        return np.concatenate([y[places] ** 2, y[:12] * y[5:17]])

    rng = np.random.default_rng(4)
    x, w = rng.uniform(0.5, 1.0, n), rng.normal(size=len(places) + 12)
    y, expected = np.sin(x), np.zeros(n)
    expected[places] += 2.0 * y[places] * w[: len(places)]
    expected[:12] += y[5:17] * w[len(places) :]
    expected[5:17] += y[:12] * w[len(places) :]
    np.testing.assert_allclose(
        pulled_products(trace(f, x), x, w[:, None])[:, 0], expected * np.cos(x), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("inner", ["input", "sine", "join"])
def test_few_places_that_tables_share(inner: str) -> None:
    """Two tables lead to some of the same places, all others are met by neither: nothing comes back to these."""
    n, few = 200, 12
    rng = np.random.default_rng(3)
    one = rng.permutation(n)[:few]
    other = np.concatenate([one[: few // 2][::-1], np.setdiff1d(np.arange(n), one)[3 : 3 + few // 2]])
    inside = {
        "input": (lambda x: x, np.ones_like),
        "sine": (np.sin, np.cos),
        "join": (
            lambda x: np.concatenate([x[:100] * 2.0, -x[100:]]),
            lambda x: np.where(np.arange(n) < 100, 2.0, -1.0),
        ),
    }
    function, slope = inside[inner]
    x, w = rng.uniform(0.5, 1.0, n), rng.normal(size=few)
    y = function(x)
    expected = np.zeros(n)
    np.add.at(expected, one, w * np.exp(y[other]))
    np.add.at(expected, other, w * y[one] * np.exp(y[other]))

    def f(x: Any) -> Any:
        y = function(x)
        return y[one] * np.exp(y[other])

    found = pulled_products(trace(f, x), x, w[:, None])[:, 0]
    np.testing.assert_allclose(found, expected * slope(x), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(vjp(f, x)[1](w), expected * slope(x), rtol=1e-13, atol=1e-15)
