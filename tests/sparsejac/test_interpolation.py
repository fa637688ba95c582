"""Interpolators of scipy.interpolate at points that depend on x: values, derivatives, patterns, plans, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate as si
from numpy.testing import assert_allclose, assert_array_equal

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian, value_and_jacobian

T = np.linspace(0.0, 3.0, 8)
Y = np.sin(T) + T
Y3 = np.stack([Y, Y**2, 1.0 / (1.0 + Y)], axis=1)
INSIDE = np.array([0.31, 1.17, 2.93])
OUTSIDE = np.array([0.31, 1.17, 2.93, -0.4, 3.3])

U, V = np.linspace(0.0, 2.0, 5), np.linspace(-1.0, 1.0, 4)
Z = np.random.default_rng(0).standard_normal((5, 4))
Z2 = np.random.default_rng(1).standard_normal((5, 4, 2))
POINTS = np.array([[0.3, 0.1], [1.2, -0.77], [1.9, 0.93]])
BEYOND = np.concatenate([POINTS, [[2.3, 0.2], [0.3, -1.4]]])


def assert_right(f, x, pattern):
    """Values at two points by one plan, and the exact pattern as pairs of output and unknown."""
    jacobian = sparse_jacobian(f, x)
    assert_allclose(jacobian.toarray(), differences(f, x).jacobian, rtol=1e-8, atol=1e-8)
    rows = np.repeat(np.arange(jacobian.shape[0]), np.diff(jacobian.indptr))
    found = np.zeros(jacobian.shape, dtype=bool)
    found[rows, jacobian.indices] = True
    assert_array_equal(found, pattern)
    plan, other = prepare(f, x), x * 0.97
    assert_allclose(plan(other).toarray(), differences(f, other).jacobian, rtol=1e-8, atol=1e-8)
    assert plan.num_variants == 1


def each(count, width=1):
    """One unknown for each block of outputs."""
    return np.kron(np.eye(count, dtype=bool), np.ones((width, 1), dtype=bool))


MAKERS = {
    "CubicSpline": si.CubicSpline,
    "PchipInterpolator": si.PchipInterpolator,
    "Akima1DInterpolator": si.Akima1DInterpolator,
    "CubicHermiteSpline": lambda t, y, axis=0: si.CubicHermiteSpline(t, y, np.cos(y), axis=axis),
    "make_interp_spline": si.make_interp_spline,
    "KroghInterpolator": si.KroghInterpolator,
    "BarycentricInterpolator": si.BarycentricInterpolator,
    "interp1d": lambda t, y, axis=0: si.interp1d(t, y, axis=axis),
    "interp1d cubic": lambda t, y, axis=0: si.interp1d(t, y, "cubic", axis=axis),
}


@pytest.mark.parametrize("name", MAKERS)
def test_one_variable(name):
    make = MAKERS[name]
    assert_right(make(T, Y), INSIDE, each(3))
    assert_right(make(T, Y3), INSIDE, each(3, 3))
    assert_right(make(T, Y3.T, axis=1), INSIDE, np.tile(np.eye(3, dtype=bool), (3, 1)))
    spline = make(T, Y)
    assert_right(lambda x: spline(x), INSIDE.reshape(1, 3), each(3))
    assert_right(lambda x: [spline(t) * 2 for t in x], INSIDE, each(3))
    assert sparse_jacobian(spline, np.empty(0)).shape == (0, 0)
    assert sparse_jacobian(spline, np.array([1.0])).shape == (1, 1)


@pytest.mark.parametrize("name", MAKERS)
def test_values_are_the_interpolator_s_own(name):
    interpolator, seen = MAKERS[name](T, Y), []
    sparse_jacobian(lambda x: seen.append(repr(interpolator(x))) or x, INSIDE)
    assert seen == [repr(interpolator(INSIDE))]


def test_orders_and_extrapolation():
    spline = si.CubicSpline(T, Y)
    assert_right(lambda x: spline(x), OUTSIDE, each(5))
    assert_right(lambda x: spline(x, 1) + spline.derivative(2)(x) + spline.antiderivative()(x), OUTSIDE, each(5))
    periodic = si.CubicSpline(T, np.sin(2 * np.pi / 3 * T), extrapolate="periodic")
    assert_right(lambda x: periodic(x), OUTSIDE, each(5))
    assert_right(lambda x: si.BPoly.from_derivatives(T, Y3[:, :2])(x), INSIDE, each(3))
    assert_right(lambda x: si.PPoly(np.ones((2, 7)), T)(x) + spline(x, extrapolate=True), INSIDE, each(3))
    assert_right(lambda x: si.KroghInterpolator(T, Y).derivative(x, 1), INSIDE, each(3))
    cut = sparse_jacobian(lambda x: spline(x, extrapolate=False), OUTSIDE)
    assert np.isnan(cut.diagonal()[3:]).all()
    assert np.isfinite(cut.diagonal()[:3]).all()


@pytest.mark.parametrize("kind", [si.PPoly, si.BPoly])
@pytest.mark.parametrize("extrapolate", [True, False, "periodic"])
def test_both_bases_in_every_order(kind, extrapolate):
    """Partial derivatives of a derivative are SciPy's next one; beyond the degree, where BPoly has none, zero."""
    rng = np.random.default_rng(3)
    for shape, axis in (((3, len(T) - 1), 0), ((3, len(T) - 1, 2), 0), ((2, 3, len(T) - 1), 1)):
        spline = kind(rng.normal(size=shape), T, extrapolate=extrapolate, axis=axis)
        for order in range(4):
            matrix = sparse_jacobian(lambda x, s=spline, order=order: np.ravel(s(x, order)), INSIDE)
            expected = spline(INSIDE, order + 1) if order < 3 else 0.0 * spline(INSIDE, order)
            points = np.indices(expected.shape)[axis].ravel()
            dense = np.zeros(matrix.shape)
            dense[np.arange(len(points)), points] = expected.ravel()
            assert_allclose(matrix.toarray(), dense, rtol=1e-12, atol=1e-12)


def test_at_a_knot_the_piece_on_the_right_counts():
    kinked = np.array([0.0, 1.0, 0.0])
    knots = np.array([0.0, 1.0, 2.0])
    for make in (si.interp1d, lambda t, y: si.make_interp_spline(t, y, 1), si.Akima1DInterpolator):
        if make is not si.Akima1DInterpolator:
            assert_allclose(sparse_jacobian(make(knots, kinked), np.array([1.0])).data, [-1.0])
    grid = si.RegularGridInterpolator((knots,), kinked)
    assert_allclose(sparse_jacobian(lambda x: grid(x), knots).diagonal(), [1.0, -1.0, -1.0])


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_bsplines(degree):
    spline = si.make_interp_spline(T, Y, degree)
    assert_right(spline, OUTSIDE, each(5))
    assert sparse_jacobian(lambda x: spline(x, degree), INSIDE).nnz == 0
    assert sparse_jacobian(si.make_interp_spline(T, Y, 0), INSIDE).nnz == 0


@pytest.mark.parametrize("kind", ["linear", "slinear", "quadratic", "cubic"])
def test_interp1d(kind):
    assert_right(lambda x: si.interp1d(T, Y, kind, fill_value="extrapolate")(x), OUTSIDE, each(5))
    filled = si.interp1d(T, Y3.T, kind, axis=1, bounds_error=False, fill_value=7.0)
    assert_right(filled, OUTSIDE, np.tile(np.eye(5, dtype=bool), (3, 1)))
    assert_right(lambda x: filled(x.reshape(5, 1)), OUTSIDE, np.tile(np.eye(5, dtype=bool), (3, 1)))
    with pytest.raises(ValueError, match="interpolation range"):
        sparse_jacobian(si.interp1d(T, Y, kind), OUTSIDE)


@pytest.mark.parametrize("kind", ["nearest", "nearest-up", "previous", "next"])
def test_steps_have_no_entries(kind):
    steps = si.interp1d(T, Y, kind)
    assert sparse_jacobian(steps, INSIDE).nnz == 0
    assert_right(lambda x: steps(x) * x, INSIDE, each(3))


@pytest.mark.parametrize("ext", [0, 1, 3, "zeros", "const"])
def test_fitpack(ext):
    spline = si.UnivariateSpline(T, Y, s=0.01, ext=ext)
    assert_right(spline, OUTSIDE, each(5))
    assert_right(spline.derivative(), OUTSIDE, each(5))
    if isinstance(ext, int):
        tck = si.splrep(T, Y)
        assert_right(lambda x: si.splev(x, tck, ext=ext), OUTSIDE, each(5))
        assert_right(lambda x: si.splev(x, tck, 1, ext), OUTSIDE, each(5))
        assert sparse_jacobian(lambda x: si.splev(x, tck, 3, ext), INSIDE).nnz == 0


def test_more_of_fitpack():
    assert_right(si.InterpolatedUnivariateSpline(T, Y), INSIDE, each(3))
    assert_right(lambda x: si.splev(x, si.make_interp_spline(T, Y)), INSIDE, each(3))
    curve, _ = si.splprep([Y, np.cos(T)], s=0)
    assert_right(lambda x: np.concatenate(si.splev(x / 4, curve)), INSIDE, np.tile(np.eye(3, dtype=bool), (2, 1)))
    with pytest.raises(ValueError, match=r"[Ii]nvalid|out of bounds|x value"):
        sparse_jacobian(lambda x: si.splev(x, si.splrep(T, Y), ext=2), OUTSIDE)


def test_integrals():
    for spline in (si.CubicSpline(T, Y), si.make_interp_spline(T, Y), si.BPoly.from_derivatives(T, Y3[:, :2])):
        assert_right(
            lambda x, s=spline: [s.integrate(x[0], x[1]), s.integrate(0.5, x[2])], INSIDE, [[1, 1, 0], [0, 0, 1]]
        )
    fitted = si.UnivariateSpline(T, Y, s=0)
    assert_right(
        lambda x: [fitted.integral(x[0], x[3]), fitted.integral(x[1], 2)], OUTSIDE[:4], [[1, 0, 0, 1], [0, 1, 0, 0]]
    )


@pytest.mark.parametrize("method", ["linear", "slinear", "cubic"])
def test_grids(method):
    grid = si.RegularGridInterpolator((U, V), Z, method=method)
    assert_right(grid, POINTS, np.kron(np.eye(3), np.ones((1, 2))) > 0)
    assert_right(lambda p: grid((p[:, 0], p[:, 1] * 0.5)), POINTS, np.kron(np.eye(3), np.ones((1, 2))) > 0)
    assert_right(lambda p: grid((p, 0.25)), POINTS[:, 0], each(3))
    assert_right(lambda p: grid(p), POINTS[1], np.ones((1, 2)))
    assert_right(lambda p: grid([p[0], p[1]]), POINTS[1], np.ones((1, 2)))
    assert_right(lambda p: si.interpn((U, V), Z, p, method=method), POINTS, np.kron(np.eye(3), np.ones((1, 2))) > 0)
    filled = si.RegularGridInterpolator((U, V), Z, method=method, bounds_error=False, fill_value=3.0)
    assert_right(filled, BEYOND, np.kron(np.eye(5), np.ones((1, 2))) > 0)
    assert sparse_jacobian(grid, np.empty((0, 2))).shape == (0, 0)


def test_more_grids():
    both = np.kron(np.eye(5), np.ones((2, 2))) > 0
    linear = si.RegularGridInterpolator((U, V), Z2, bounds_error=False, fill_value=None)
    assert_right(linear, BEYOND, both)
    assert_right(si.RegularGridInterpolator((U[::-1], V), Z), POINTS, np.kron(np.eye(3), np.ones((1, 2))) > 0)
    assert_right(si.RegularGridInterpolator((U,), Z[:, 0]), POINTS[:, 0], each(3))
    nearest = si.RegularGridInterpolator((U, V), Z, method="nearest")
    assert sparse_jacobian(nearest, POINTS).nnz == 0
    with pytest.raises(ValueError, match="out of bounds"):
        sparse_jacobian(si.RegularGridInterpolator((U, V), Z), BEYOND)


def test_surfaces():
    surface = si.RectBivariateSpline(U, V, Z)
    pairs = np.kron(np.eye(5), np.ones((1, 2))) > 0
    assert_right(lambda p: surface.ev(p[:, 0], p[:, 1]), BEYOND, pairs)
    assert_right(lambda p: surface(p[:, 0], p[:, 1], dx=1, grid=False), POINTS, pairs[:3, :6])
    x = np.array([0.1, 0.5, 1.7, -0.3, 0.2])
    pattern = [[k == i or k == 3 + j for k in range(5)] for i in range(3) for j in range(2)]
    assert_right(lambda x: surface(x[:3], x[3:]), x, pattern)
    assert_right(lambda x: surface.ev(x, 0.3), INSIDE[:2], each(2))
    knots = si.make_interp_spline(U, Z).t
    tensor = si.NdBSpline((knots, knots), np.arange(25.0).reshape(5, 5) ** 1.5, k=3)
    assert_right(tensor, np.abs(POINTS), pairs[:3, :6])
    pieces = si.NdPPoly(np.arange(16.0).reshape(2, 2, 2, 2) ** 0.5, ([0.0, 1.0, 2.0], [0.0, 0.5, 1.0]))
    assert_right(lambda p: pieces(p, nu=[1, 0]) + pieces(p), np.abs(POINTS), pairs[:3, :6])


def test_in_a_model_with_a_table():
    table = si.PchipInterpolator(T, Y)

    def f(x):
        flux = table(0.5 * (x[1:] + x[:-1])) * np.diff(x)
        residual = np.zeros(len(x))
        residual[:-1] += flux
        residual[1:] -= flux
        return residual

    x = np.linspace(0.2, 2.7, 6)
    assert_right(f, x, np.abs(np.subtract.outer(np.arange(6), np.arange(6))) <= 1)


def test_an_interpolator_that_changes_later():
    spline = si.CubicSpline(T, Y)
    plan = prepare(lambda x: spline(x), INSIDE)
    expected = plan(INSIDE).toarray()
    spline.c[...] = 0.0
    assert_array_equal(plan(INSIDE).toarray(), expected)
    assert_array_equal(sparse_jacobian(lambda x: spline(x), INSIDE).toarray(), np.zeros((3, 3)))


REFUSED = {
    "CubicSpline whose places": lambda x: si.CubicSpline(x, Y[:3])(1.0),
    "interp1d of 2-dimensional": lambda x: si.interp1d(T[:3], np.stack([x, x]))(0.3),
    "not linear": lambda x: si.RegularGridInterpolator((T[:5],), np.append(x, [1.0, 9.0]), method="pchip")([0.3]),
    "method='pchip'": lambda x: si.RegularGridInterpolator((T[:3],), 0.0 * x, method="pchip")([0.3]),
    "with method='pchip'": lambda x: si.RegularGridInterpolator((T[:3],), 0.0 * x)([0.3], method="pchip"),
    "bc_type='periodic'": lambda x: si.make_interp_spline(T[:4], x[[0, 1, 2, 0]], bc_type="periodic")(1.0),
    "BSpline with t": lambda x: si.BSpline(np.append(x, 9.0), x[:2], 1)(1.0),
    "BSpline.c": lambda x: si.BSpline(np.arange(5.0), x, 1).c,
    "a class derived from scipy.interpolate.BSpline": lambda x: type("B", (si.BSpline,), {})(np.arange(5.0), x, 1)(1.0),
    "splev with tck": lambda x: si.splev(9.0, (np.arange(5.0), x, 1), ext=3),
    "CubicSpline.roots": lambda x: si.CubicSpline(T[:3], x).roots(),
    "CubicSpline.integrate": lambda x: si.CubicSpline(T[:3], x).integrate(0.0, x[0]),
    "RegularGridInterpolator of values and at": lambda x: si.RegularGridInterpolator((T[:3],), x)(x[:, None] * 0.1),
    "PchipInterpolator whose options": lambda x: si.PchipInterpolator(T[:3], x, extrapolate=x[0])(1.0),
    "PchipInterpolator of complex": lambda x: si.PchipInterpolator(T[:3], 1j * x)(1.0),
    "PchipInterpolator.solve": lambda x: si.PchipInterpolator(T[:3], x).solve(1.0),
    "splrep": lambda x: si.splrep(T[:3], x, k=1)[1],
    "UnivariateSpline": lambda x: si.UnivariateSpline(T[:3], x, k=1)(1.0),
    "RBFInterpolator": lambda x: si.RBFInterpolator(T[:, None], Y)(x[:, None]),
    "griddata": lambda x: si.griddata(T, Y, x),
    "NDInterpolatorBase": lambda x: si.LinearNDInterpolator([[0, 0], [0, 3], [3, 0.0]], [1.0, 2.0, 4.0])(x, x),
    "pchip": lambda x: si.RegularGridInterpolator((U, V), Z, method="pchip")((x / 3, x / 4)),
    "nu": lambda x: si.CubicSpline(T, Y)(1.0, nu=x[0]),
    "extrapolate": lambda x: si.CubicSpline(T, Y).integrate(0, x[0], extrapolate=False),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with pytest.raises(UntraceableError) as refused:
        sparse_jacobian(REFUSED[name], INSIDE)
    assert name in str(refused.value).splitlines()[0]  # further down stands the line above, with the name


LINEAR = {
    "CubicSpline": si.CubicSpline,
    "natural": lambda t, y: si.CubicSpline(t, y, bc_type="natural"),
    "make_interp_spline": si.make_interp_spline,
    "cubic": lambda t, y: si.interp1d(t, y, "cubic"),
}


@pytest.mark.parametrize("name", LINEAR)
def test_data_that_depend_on_x(name):
    make = LINEAR[name]
    assert_right(lambda y: make(T, y)(INSIDE), Y, np.ones((3, 8)))
    assert_right(lambda y: make(T, y**2)(INSIDE.reshape(3, 1)), Y + 1.0, np.ones((3, 8)))
    assert_right(lambda y: [make(T, y)(1.3)], Y, np.ones((1, 8)))

    def both(x):
        return make(T, x**2)(x[:3])

    # The points pick other data elsewhere: with each point all data count.
    assert_right(both, Y + 0.4, np.ones((3, 8)))
    seen = []
    sparse_jacobian(lambda y: seen.append(repr(make(T, y)(INSIDE))) or y, Y)
    assert seen == [repr(make(T, Y)(INSIDE))]


def test_methods_of_splines_of_data_that_depend_on_x():
    for make in (si.CubicSpline, si.make_interp_spline):

        def f(y, make=make):
            spline = make(T, y)
            assert isinstance(spline, type(make(T, Y)))
            slopes = spline.derivative()(INSIDE) + spline(INSIDE, 2) + spline.antiderivative()(INSIDE)
            return np.append(slopes, spline.integrate(0.1, 2.0))

        assert_right(f, Y, np.ones((4, 8)))
    near = [[k in (0, 1) for k in range(8)], [k in (2, 3) for k in range(8)], [k in (6, 7) for k in range(8)]]
    assert_right(lambda y: si.interp1d(T, y)(INSIDE), Y, near)
    assert_right(lambda y: si.interp1d(T, y, axis=-1)(INSIDE), Y, near)
    assert_right(lambda y: si.CubicSpline(T, y, -1)(INSIDE), Y, np.ones((3, 8)))
    assert_right(lambda y: si.make_interp_spline(T, y, 1)(INSIDE), Y, near)
    filled = np.array([0.31, -1.0, 9.0])
    assert_right(
        lambda y: si.interp1d(T, y, bounds_error=False, fill_value=2.0)(filled), Y, [near[0], [False] * 8, [False] * 8]
    )
    assert_right(lambda y: si.interp1d(T, y, "nearest")(INSIDE), Y, [[k == j for k in range(8)] for j in (1, 3, 7)])


KNOTS = np.r_[[0.0] * 4, 0.4, 0.9, 1.3, 2.2, [3.0] * 4]
SPREAD = np.array([-0.2, 0.1, 1.0, 2.9])  # one beyond the ends; each in another span but the first two
SPANS = np.array([[k <= j < k + 4 for k in range(8)] for j in (3, 3, 5, 7)])  # of degree 3: four coefficients a span


def test_coefficients_of_splines_that_depend_on_x():
    assert_right(lambda c: si.BSpline(KNOTS, c**2, 3)(SPREAD), Y + 0.4, SPANS)
    assert_right(lambda c: si.splev(SPREAD, (KNOTS, c**2, 3)), Y + 0.4, SPANS)
    assert_right(lambda c: si.splev(SPREAD[0], (KNOTS, list(c), 3), der=1), Y, SPANS[:1])
    assert_right(lambda c: np.concatenate(si.splev(SPREAD, (KNOTS, [c, c**3], 3))), Y + 0.4, np.tile(SPANS, (2, 1)))
    periodic = SPANS[[0, 0, 2, 0]]
    assert_right(lambda c: si.BSpline(KNOTS, c, 3, extrapolate="periodic")(SPREAD + 3.25), Y, periodic)
    assert_right(lambda c: si.BSpline(KNOTS, c, 3).derivative()(c[:3] + 1.0), 0.1 * Y + 0.5, np.ones((3, 8)))
    few = KNOTS[[*range(5), *range(7, 12)]]  # T[0] alone lies before 0.4: its value only decides the first coefficient
    fitted = [[True] * 8, [False] + [True] * 7, [False] + [True] * 7]
    assert_right(lambda y: si.make_lsq_spline(T, y, few)(INSIDE), Y, fitted)
    longer = np.append(Y, [5.0, 6.0])  # what FITPACK gives is as long as its knots; the last ones have no part in it
    assert_right(lambda c: si.BSpline(KNOTS, c, 3)(SPREAD), longer, np.pad(SPANS, ((0, 0), (0, 2))))
    assert_right(
        lambda c: si.BSpline(KNOTS, c, 3).integrate(0.1, 3.3, extrapolate="periodic") * np.ones(1), Y, np.ones((1, 8))
    )
    with pytest.raises(ValueError, match="der=4"):  # as SciPy
        sparse_jacobian(lambda c: si.splev(SPREAD, (KNOTS, c, 3), der=4), Y)
    value, _ = value_and_jacobian(lambda c: si.splev(SPREAD, (KNOTS, c, 3)), longer)
    assert_allclose(value, si.splev(SPREAD, (KNOTS, longer, 3)), rtol=1e-13)


@pytest.mark.parametrize("method", ["linear", "nearest", "slinear"])
def test_fields_that_depend_on_x(method):
    def f(z):
        grid = si.RegularGridInterpolator((U, V), z, method=method)
        return np.append(grid(POINTS), grid((POINTS[:2, 0], 0.1)))

    jacobian = sparse_jacobian(f, Z)
    assert_allclose(jacobian.toarray(), differences(f, Z).jacobian, atol=1e-9)
    assert jacobian.nnz == 5 * (1 if method == "nearest" else 4)
    assert_allclose(prepare(f, Z)(2 * Z).toarray(), jacobian.toarray())
    jacobian = sparse_jacobian(lambda z: si.interpn((U, V), z, POINTS, method=method), Z)
    assert_allclose(jacobian.toarray(), sparse_jacobian(f, Z).toarray()[:3])


def test_the_cure_for_data_that_depend_on_x():
    matrix = si.CubicSpline(T, np.eye(8))([0.4, 1.9])
    expected = differences(lambda y: si.CubicSpline(T, y)([0.4, 1.9]), Y).jacobian
    assert_allclose(sparse_jacobian(lambda y: matrix @ y, Y).toarray(), expected, atol=1e-9)
