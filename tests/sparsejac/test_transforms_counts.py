"""What transformed Programs cost: operations by weight, beside those of f."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sparsejac
from cases import Case
from catalogue import CASES
from kernels.address import Affine
from sparsejac.pieces.pieces import in_pieces
from sparsejac.primitives import PRIMITIVES, Primitive
from sparsejac.programs.program import Graph, Load, Program, program
from sparsejac.transforms import gradient_of, linearized, operations, pulled, pushed
from traced_functions import program_of, trace
from transformed import pulled_products, pushed_products

Array = NDArray[np.float64]
BOUND = 4
DIFFERENTIABLE = [name for name, p in PRIMITIVES.items() if any(p.partials) and p.operation.weight]
SYMMETRIC = [name for name in DIFFERENTIABLE if PRIMITIVES[name].operation.symmetries]


def applied(primitive: Primitive, n: int, *, same: bool = False) -> Program:
    """One primitive, on parts of x of its own or on the same one."""
    arity = len(primitive.partials)
    graph = Graph()
    x = graph.input(arity * n, active=True)
    loads = tuple(Load(x, Affine((n,), 0 if same else k * n, (1,))) for k in range(arity))
    return program(graph, graph.map(primitive, (n,), loads), ())


def counted(f: Any, x: Any, transform: Any) -> tuple[int, int]:
    """Operations of f and of a derivative with f's value, each number that is moved counted as one."""
    made = program_of(f, x)
    return operations(made, moves=True), operations(transform(made).program, moves=True)


@pytest.mark.parametrize("transform", [pushed, pulled])
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_a_primitive_and_its_derivative(name: str, transform: Any) -> None:
    """Products of three and more factors are made of equal ones alone."""
    made = applied(PRIMITIVES[name], 7, same=name.startswith("product_"))
    assert operations(transform(made).program) <= BOUND * operations(made)


@pytest.mark.parametrize("transform", [pushed, pulled])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_whole_functions(case: Case, transform: Any) -> None:
    f, derivative = counted(lambda x: case.f(x, *case.args), case.point(), transform)
    assert derivative <= BOUND * f + 2 * case.point().size + 2 * np.size(case.f(case.point(), *case.args))


def stencil(x: Array) -> Any:
    y = np.zeros(len(x))
    y[1:-1] = np.exp(x[1:-1]) * (x[2:] - 2.0 * x[1:-1] + x[:-2])
    y[0] = x[0]
    return y


def rosenbrock(x: Array) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def gathered(x: Array) -> Any:
    return x[np.arange(len(x)) // 3] * np.sin(x[::-1])


def many_parts(x: Array) -> Any:
    """Ten small parts, each used on its own: their cotangents are not ten vectors of the size of x."""
    step = len(x) // 10
    return sum(np.sum(x[k * step : (k + 1) * step] ** 2) * x[k] for k in range(10))


def bratu(x: Array) -> Any:
    n = int(np.sqrt(len(x)))
    u = np.pad(x[: n * n].reshape(n, n), 1)
    return 4.0 * u[1:-1, 1:-1] - u[:-2, 1:-1] - u[2:, 1:-1] - u[1:-1, :-2] - u[1:-1, 2:] - np.exp(u[1:-1, 1:-1])


@pytest.mark.parametrize("n", [10, 1000, 1_000_000])
@pytest.mark.parametrize("f", [stencil, rosenbrock, gathered, many_parts, bratu])
def test_cost_does_not_grow_with_the_number_of_unknowns(f: Any, n: int) -> None:
    x = np.linspace(0.1, 1.0, n)
    for transform in (pushed, pulled):
        own, derivative = counted(f, x, transform)
        assert derivative <= BOUND * own + 2 * n


@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_products_of_fixed_matrices(n: int) -> None:
    """f1(f2(f3(x))) for matrices n x h, h x h, h x n: O(n h + h**2), with h**2 and n h counted apart."""
    h = 8
    rng = np.random.default_rng(0)
    down, square, up = rng.normal(size=(h, n)), rng.normal(size=(h, h)), rng.normal(size=(n, h))
    made = program_of(lambda x: up @ (square @ (down @ x)), np.ones(n))
    own = 2 * (2 * n * h + h * h)
    assert operations(made) == own
    assert operations(pulled(made).program) == 2 * own
    assert operations(linearized(made).reverse.program) == own
    assert operations(linearized(made).forward.program) == own


def test_a_linear_part_computes_no_elementary_function() -> None:
    made = program_of(lambda x: np.exp(x[1:]) * np.sin(x[:-1]), np.ones(9))
    cut = linearized(made)
    for part in (cut.forward, cut.reverse):
        names = {node.primitive.name for node in part.program.nodes if node.primitive}
        assert names <= {"multiply", "add", "copy"}
        assert operations(part.program) <= 8 * 6


@pytest.mark.parametrize("transform", [pushed, pulled])
@pytest.mark.parametrize(
    ("f", "further"),
    [
        (lambda x: 0.3 / (1.0 + x) ** 2, 0),
        (lambda x: np.linspace(1.0, 2.0, len(x)) / x, 1),
        (lambda x: x[1:] / x[:-1], 1),
        (lambda x: (x[1:] + x[:-1] ** 2) / (0.1 / x[1:] + 0.3 / x[:-1]), 1),
    ],
)
def test_a_product_divides_hardly_more_often_than_f(transform: Any, f: Any, further: int) -> None:
    """A quotient has one more for both of its partial derivatives, and none if its numerator is one constant."""
    made = program_of(f, np.linspace(0.5, 1.0, 50))
    assert _divisions(transform(made).program) == _divisions(made) + further


def _divisions(made: Program) -> int:
    """Quotients over many points."""
    return sum(n.primitive is not None and n.primitive.name == "divide" and n.size > 1 for n in made.nodes)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_equal_operands_of_a_symmetric_primitive_have_one_partial(name: str) -> None:
    """What comes after the value costs at most half, but for the factor and what two partials share."""
    primitive, n = PRIMITIVES[name], 5
    different, same = applied(primitive, n), applied(primitive, n, same=True)
    weight = operations(same)
    whole, half = (operations(pulled(p).program) - weight for p in (different, same))
    assert half <= whole / 2 + 2 * n
    single, double = (operations(pushed(p).program) - weight for p in (different, same))
    assert double <= single / 2 + 2 * n


@pytest.mark.parametrize(
    ("equal", "different", "share"),
    [
        (lambda x, y: x @ x.T, lambda x, y: x @ y.T, 1 / 2),
        (
            lambda x, y: np.multiply.outer(x[:, 0], x[:, 0]),
            lambda x, y: np.multiply.outer(x[:, 0], y[:, 0]),
            3 / 4,
        ),
        (lambda x, y: np.einsum("ij,ij->i", x, x), lambda x, y: np.einsum("ij,ij->i", x, y), 1 / 2),
        (lambda x, y: np.einsum("i,i", x[:, 0], x[:, 0]), lambda x, y: np.einsum("i,i", x[:, 0], y[:, 0]), 1 / 2),
        (lambda x, y: np.einsum("ij,ij,ij", x, x, x), lambda x, y: np.einsum("ij,ij,ij", x, y, x[::-1]), 1 / 2),
        (lambda x, y: np.einsum("ij,ij,ij->i", x, x, x), lambda x, y: np.einsum("ij,ij,ij->i", x, y, x[::-1]), 1 / 2),
        (
            lambda x, y: np.einsum("ij,ij,ij,ij->j", x, x, x, x),
            lambda x, y: np.einsum("ij,ij,ij,ij->j", x, y, x[::-1], y[::-1]),
            1 / 2,
        ),
        (lambda x, y: x @ x[:8].T, lambda x, y: x @ y[:8].T, 1 / 2),
    ],
)
def test_products_of_an_array_with_itself(equal: Any, different: Any, share: float) -> None:
    """One contraction in reverse where two different arrays need two."""
    x = np.random.default_rng(0).normal(size=(2, 8, 30))
    both = program_of(lambda x: different(x[0], x[1]), x)
    own = program_of(lambda x: equal(x, x), x[0])
    assert operations(both) == operations(own)
    two, one = (operations(pulled(p).program) - operations(p) for p in (both, own))
    assert one <= share * two + 2 * own.output.size
    traced = trace(lambda x: equal(x, x), x[0])
    size = traced.program.output.size
    w, v = np.eye(size)[:, :3], np.eye(240)[:, :5]
    forward = pushed_products(traced, x[0], np.eye(240))
    np.testing.assert_allclose(pulled_products(traced, x[0], w), forward[: w.shape[1]].T, atol=1e-12)
    np.testing.assert_allclose(pushed_products(traced, x[0], v), forward[:, :5], atol=1e-12)


@pytest.mark.parametrize(("subscripts", "count"), [("i,i,i->i", 3), ("i,i,i,i->i", 4), ("i,i,i,i,i->i", 5)])
def test_values_of_products_of_equal_operands_are_numpys(subscripts: str, count: int) -> None:
    x = np.random.default_rng(1).normal(size=101) * 10.0 ** np.random.default_rng(2).uniform(-9, 9, 101)
    value, jacobian = sparsejac.value_and_jacobian(lambda x: np.einsum(subscripts, *[x] * count), x)
    np.testing.assert_array_equal(value, np.einsum(subscripts, *[x] * count))
    np.testing.assert_allclose(jacobian.diagonal(), count * x ** (count - 1), rtol=1e-14)


def test_equal_values_are_not_equal_operands() -> None:
    """The node has to be the same: two arrays that happen to hold the same numbers have a partial derivative each."""
    x = np.random.default_rng(0).normal(size=(3, 5))
    one = program_of(lambda x: np.einsum("i,i,i", x[0], x[0], x[0]), x)
    three = program_of(lambda x: np.einsum("i,i,i", x[0], x[1], x[2]), np.stack([x[0]] * 3))
    assert operations(pulled(three).program) > operations(pulled(one).program)


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x * x, lambda x: 2 * x),
        (lambda x: x + x, lambda x: 2 * np.ones(3)),
        (lambda x: x / x, lambda x: np.zeros(3)),
        (lambda x: np.hypot(x, x), lambda x: np.sqrt(2.0) * np.ones(3)),
        (lambda x: np.maximum(x, x), lambda x: np.ones(3)),
        (lambda x: np.minimum(x, x), lambda x: np.ones(3)),
        (lambda x: np.fmax(x, x), lambda x: np.ones(3)),
        (lambda x: np.logaddexp(x, x), lambda x: np.ones(3)),
        (lambda x: np.logaddexp2(x, x), lambda x: np.ones(3)),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e200])
def test_slopes_at_equal_operands(f: Any, slope: Any, scale: float) -> None:
    """Ties split evenly, so that they sum to 1; hypot(x, x) keeps its digits where x**2 overflows."""
    x = scale * np.array([1.0, 2.0, 0.5])
    traced = trace(f, x)
    ones = np.ones((3, 1))
    with np.errstate(all="ignore"):
        expected = slope(x)
    np.testing.assert_allclose(pushed_products(traced, x, ones)[:, 0], expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(pulled_products(traced, x, ones)[:, 0], expected, rtol=1e-13, atol=1e-13)


def test_ties_of_different_operands_split_evenly() -> None:
    x = np.array([1.0, 1.0, 2.0])
    traced = trace(lambda x: np.maximum(x[0], x[1]) + np.max(x), x)
    found = pulled_products(traced, x, np.ones((1, 1)))[:, 0]
    assert found.tolist() == [0.5, 0.5, 1.0]


def test_a_gradient_is_a_small_multiple_of_its_function() -> None:
    for n in (10, 10_000):
        made = program_of(rosenbrock, np.linspace(0.1, 1.0, n))
        assert operations(gradient_of(made).program) <= 3 * operations(made)


def _many(made: Program, name: str) -> int:
    """How often a primitive is applied to many numbers."""
    return sum(n.primitive is not None and n.primitive.name == name and n.size > 1 for n in made.nodes)


SIGNED = [
    lambda x: np.roll(x, 1) ** 2 - 3.0 * x**2,
    lambda x: (np.roll(x, 2) - 2.0 * x) ** 2 - (np.roll(x, 1) - x) ** 2,
    lambda x: np.exp(np.roll(x, 1)) / x - x / (np.roll(x, -1) - 5.0 * x),
]


@pytest.mark.parametrize("transform", [pushed, pulled])
@pytest.mark.parametrize("f", SIGNED)
def test_a_sign_costs_nothing_where_there_is_a_sum(transform: Any, f: Any) -> None:
    """What comes back negative is subtracted, through products and quotients."""
    x = np.linspace(1.0, 2.0, 7)
    made = program_of(f, x)
    assert _many(transform(made).program, "negative") == 0
    traced, h = trace(f, x), 1e-200
    forward = pushed_products(traced, x, np.eye(7))
    expected = np.column_stack([np.imag(f(x + 1j * h * e)) / h for e in np.eye(7)])
    np.testing.assert_allclose(forward, expected, rtol=1e-13, atol=1e-14)
    back = pulled_products(traced, x, np.eye(7))
    np.testing.assert_allclose(back.T, expected, rtol=1e-13, atol=1e-14)


def test_a_sign_without_a_sum_is_one_operation() -> None:
    made = program_of(lambda x: -(x * np.sin(x)), np.ones(5))
    for transform in (pushed, pulled):
        assert _many(transform(made).program, "negative") <= 2  # of the value, and of the derivative


def test_a_sign_of_one_term_is_none_of_each_tangent() -> None:
    """It belongs to the factor, which is the same for all of them."""
    made = program_of(np.cos, np.ones(5))
    found = pushed(made, 8, with_value=False).program
    assert [n.size for n in found.nodes if n.primitive is PRIMITIVES["negative"]] == [5]


def test_a_sum_that_f_reads_is_not_taken_apart() -> None:
    """The gradient is r + k a, which f has, and k b: not r + k (a + b), which would be multiplied once more."""

    def f(x: Array) -> Any:
        r, a, b = np.floor(x), np.ceil(x), np.rint(x)
        k = np.sum(r)
        return np.sum(x * (k * b) + x * (r + k * a))

    x = np.array([0.7, -1.2, 4.6])  # k is 2
    made = program_of(f, x)
    found = gradient_of(made, with_value=True)
    assert _many(found.program, "multiply") == _many(made, "multiply") == 4
    np.testing.assert_allclose(sparsejac.gradient(f, x), np.floor(x) + 2.0 * np.ceil(x) + 2.0 * np.rint(x))


@pytest.mark.parametrize(("shape", "twice"), [((5, 6), 0), ((3, 4), 0), ((1, 4), 1), ((9, 1), 1)])
def test_a_factor_of_a_stencil_is_multiplied_once(shape: tuple[int, int], twice: int) -> None:
    """k times the sum of four neighbours: the transposed stencil sums before it multiplies, as f does."""

    def spread_out(x: Array) -> Any:
        u = x.reshape(shape)
        around = np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1)
        return u + 0.3 * (around - 4.0 * u)

    n = shape[0] * shape[1]
    made = program_of(spread_out, np.ones(n))
    assert _many(pulled(made).program, "multiply") <= 2 + 3 + twice  # of f; k, 4 and k; of u + u
    traced = trace(spread_out, np.ones(n))
    dense = np.column_stack([np.ravel(spread_out(e)) for e in np.eye(n)])
    np.testing.assert_allclose(pulled_products(traced, np.ones(n), np.eye(n)).T, dense, rtol=1e-14, atol=1e-15)


def joins(made: Program) -> int:
    return sum(node.kind == "join" and bool(node.pieces) for node in made.nodes)


def test_what_was_rolled_comes_back_by_reading() -> None:
    """Permutations of places are read at the inverse ones: nothing is put together before it is added."""

    def rolled(x: Array) -> Any:
        u = x.reshape(5, 6)
        return np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 2, 1) + u[:, ::-1] + u

    made = program_of(rolled, np.ones(30))
    assert joins(pulled(made).program) == 0
    traced = trace(rolled, np.ones(30))
    forward = pushed_products(traced, np.ones(30), np.eye(30))
    np.testing.assert_array_equal(pulled_products(traced, np.ones(30), np.eye(30)), forward.T)


@pytest.mark.parametrize("shape", [(12, 9), (6, 7), (2, 3), (1, 5)])
def test_opposite_edges_are_places_of_their_own(shape: tuple[int, int]) -> None:
    """A stencil in pieces, two of which are opposite edges with a stride of their own, is still a grid of cells."""
    rows, columns = shape

    def stencil_with_edges(x: Array) -> Any:
        u = np.pad(x.reshape(shape), 1)
        return 3.0 * u[1:-1, 1:-1] - u[2:, 1:-1] - u[:-2, 1:-1] - u[1:-1, 2:] - u[1:-1, :-2]

    x = np.linspace(0.1, 1.0, rows * columns)
    traced = trace(stencil_with_edges, x)
    forward = pushed_products(traced, x, np.eye(len(x)))
    np.testing.assert_array_equal(pulled_products(traced, x, np.eye(len(x))), forward.T)
    own = operations(traced.program, moves=True)
    assert operations(pulled(in_pieces(traced.program)).program, moves=True) <= 3 * own


@pytest.mark.parametrize("n", [1, 7])
def test_a_number_over_itself_has_one_partial(n: int) -> None:
    """(1 - y) / x: one product with it in the place of two, for a quotient and a difference beside the value."""
    same = program_of(lambda x: x / x, np.ones(n))
    for transform in (pushed, pulled):
        assert operations(transform(same).program) == (4 + 1 + 4 + 1) * n
    cut = linearized(same)
    assert operations(cut.forward.program) == operations(cut.reverse.program) == n


@pytest.mark.parametrize("name", ["multiply", "hypot", "logaddexp", "maximum"])
def test_outer_operations_of_a_vector_with_itself(name: str) -> None:
    """One term and it turned, which is added: a product less for each pair forward, and one backward."""
    n, outer = 9, getattr(np, name).outer
    same = linearized(program_of(lambda x: outer(x, x), np.linspace(0.5, 1.0, n)))
    other = linearized(program_of(lambda x: outer(x[:n], x[n:]), np.linspace(0.5, 1.0, 2 * n)))
    assert operations(same.forward.program) <= operations(other.forward.program) - n * n
    assert operations(same.reverse.program) <= operations(other.reverse.program) - n * n + n


def test_outer_products_of_several_equal_vectors() -> None:
    """x_i x_j x_k: the tangent of the inner one costs n**2, that of all three products and a sum for each number.

    There is no cheaper way: each of the three terms reads the tangent at another place, and to add up a cotangent over
    the orders of its axes costs as much as the products that it saves.
    """
    n = 6
    made = program_of(lambda x: np.einsum("i,j,k->ijk", x, x, x), np.linspace(0.5, 1.0, n))
    cut = linearized(made)
    assert operations(cut.forward.program) <= 3 * n**3 + 3 * n**2
    assert operations(cut.reverse.program) <= 4 * n**3 + 4 * n**2


@pytest.mark.parametrize("case", [case for case in CASES if not case.args][::4], ids=lambda case: case.name)
def test_derivatives_of_derivatives(case: Case) -> None:
    """Forward over reverse, reverse over reverse, reverse over forward: each level within the bound of the first."""
    made = program_of(case.f, case.point())
    ends = 2 * (case.point().size + made.output.size)
    for first in (pushed(made).program, pulled(made).program):
        own = operations(first, moves=True)
        for second in (pushed(first), pulled(first)):
            assert operations(second.program, moves=True) <= BOUND * own + ends
