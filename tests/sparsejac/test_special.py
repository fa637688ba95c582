"""scipy.special: each row of the tables of derivatives against differences, special points, and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.special as special
from numpy.testing import assert_allclose, assert_array_equal

from oracles import differences
from sparsejac import UntraceableError, prepare, sparse_jacobian
from sparsejac.tracing.scipy_rules.special import RULES
from sparsejac.tracing.scipy_rules.special_functions import STEPS
from special_points import COMPLEX_RESULTS, POINTS, POSITIVE, UNIT, rules_of

ROUGH = {"itairy": 1e-3}
"""Functions whose values scipy gives to few digits; the derivative is better."""

ANALYTIC = [
    *("erf", "erfc", "erfcx", "erfi", "dawsn", "wofz", "gamma", "loggamma", "rgamma", "ndtr", "log_ndtr"),
    *("spence", "wrightomega", "expi", "exp1", "log1p", "expm1"),
]


INSTALLED = {name: arguments for name, arguments in POINTS.items() if hasattr(special, name)}


def calls():
    for name, arguments in INSTALLED.items():
        for k, rule in enumerate(rules_of(name)):
            if rule is not None:
                yield name, k, arguments


def side_by_side(result):
    return np.concatenate(result) if isinstance(result, tuple) else result


def assert_close(f, x, accuracy=1e-9):
    jacobian, estimate = sparse_jacobian(f, x), differences(f, x)
    gap = np.abs(jacobian.toarray() - estimate.jacobian)
    allowed = 20.0 * estimate.error + accuracy * (1.0 + np.abs(estimate.jacobian))
    assert (gap <= allowed).all(), (jacobian.toarray(), estimate.jacobian)
    return jacobian


def test_every_rule_has_points():
    assert set(RULES) == set(POINTS) | COMPLEX_RESULTS
    assert len(RULES) >= 120


@pytest.mark.parametrize(("name", "k", "arguments"), [pytest.param(*c, id=f"{c[0]}-{c[1]}") for c in calls()])
def test_derivative_by_each_argument(name, k, arguments):
    ufunc = getattr(special, name)

    def f(x):
        return side_by_side(ufunc(*arguments[:k], x, *arguments[k + 1 :]))

    x = np.array(arguments[k], dtype=float)
    jacobian = assert_close(f, x, ROUGH.get(name, 1e-9))
    outputs = f(x).size // 3
    assert jacobian.nnz == 3 * outputs
    assert_array_equal(jacobian.indices, np.tile(np.arange(3), outputs))
    plan = prepare(f, x)
    other = x * 1.01
    assert_array_equal(plan(other).toarray(), sparse_jacobian(f, other).toarray())
    assert plan.num_variants == 1


@pytest.mark.parametrize("name", sorted(COMPLEX_RESULTS))
def test_complex_results_of_real_arguments(name):
    ufunc = getattr(special, name)

    def f(x):
        found = ufunc(x) if ufunc.nin == 1 else ufunc(1.5, x)
        parts = found if isinstance(found, tuple) else (found,)
        return np.concatenate([part for z in parts for part in (z.real, z.imag)])

    assert_close(f, np.array(POSITIVE))


@pytest.mark.parametrize("name", ANALYTIC)
def test_complex_arguments(name):
    ufunc = getattr(special, name)

    def f(x):
        y = ufunc((x[0] + 1j * x[1]) * np.array([1.0, 0.7 - 0.2j]))
        return np.concatenate([y.real, y.imag])

    assert_close(f, np.array([0.6, 0.35]))


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("erf", [3.0, -6.0]),
        ("expit", [40.0, -40.0]),
        ("log_expit", [-800.0, 30.0]),
        ("expm1", [1e-9, 20.0]),
        ("log1p", [1e-12, 1e9]),
        ("exp2", [-3.5, 20.0]),
        ("cosm1", [1e-5, 3.0]),
    ],
)
def test_tails_against_the_formula(name, points):
    x = np.array(points)
    formula = {
        "erf": lambda: 2 / np.sqrt(np.pi) * np.exp(-(x**2)),
        "expit": lambda: 0.25 / np.cosh(0.5 * x) ** 2,
        "log_expit": lambda: 1 / (1 + np.exp(x)),
        "expm1": lambda: np.exp(x),
        "log1p": lambda: 1 / (1 + x),
        "exp2": lambda: np.log(2) * 2.0**x,
        "cosm1": lambda: -np.sin(x),
    }[name]()
    assert_allclose(sparse_jacobian(getattr(special, name), x).data, formula, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        # The slopes of asymptotic series: erfcx = 1/(x sqrt(pi)) (1 - 1/(2x^2)), dawsn = 1/(2x) (1 + 1/(2x^2)).
        ("erfcx", lambda x: (-1 / x**2 + 1.5 / x**4) / np.sqrt(np.pi)),
        ("dawsn", lambda x: -0.5 / x**2 - 0.75 / x**4),
        ("log_ndtr", lambda x: np.where(x < 0, -x - 1 / x, 0.0)),
    ],
)
def test_no_cancellation_far_out(name, limit):
    x = np.array([3e3, 7e4]) * (-1 if name == "log_ndtr" else 1)
    assert_allclose(sparse_jacobian(getattr(special, name), x).data, limit(x), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "z"),
    [
        ("erfcx", 60.0 + 0.5j),
        ("erfcx", 30.0 - 70.0j),
        ("erfcx", -2.0 + 55.0j),
        ("dawsn", 60.0 + 0.5j),
        ("dawsn", 52.0 + 52.0j),
        ("dawsn", 3.0 + 8.0j),
        ("wofz", -60.0 + 1.0j),
        ("wofz", 1.0 + 60.0j),
        ("wofz", 52.0 - 52.0j),
    ],
)
def test_complex_numbers_far_out(name, z):
    function = getattr(special, name)

    def f(x):
        y = function(x[0] + 1j * x[1])
        return np.array([y.real, y.imag])

    x = np.array([z.real, z.imag])
    estimate = differences(f, x)
    assert np.isfinite(estimate.jacobian).all()
    gap = np.abs(sparse_jacobian(f, x).toarray() - estimate.jacobian)
    assert (gap <= 1e-7 * np.abs(estimate.jacobian).max()).all()


def slope(f, *x):
    return sparse_jacobian(f, np.array(x)).toarray()


def test_special_points():
    assert_array_equal(slope(lambda x: special.xlogy(0.0, x), 0.0), [[0.0]])
    assert_array_equal(slope(lambda x: special.xlogy(x, [2.0]), 0.0), [[np.log(2.0)]])
    assert_array_equal(slope(lambda x: special.xlog1py(0.0, x), -1.0), [[0.0]])
    assert_array_equal(slope(special.entr, 0.0), [[np.inf]])
    assert_array_equal(slope(special.spence, 1.0), [[-1.0]])
    assert_allclose(slope(special.exprel, 0.0), [[0.5]])
    assert_allclose(slope(lambda x: special.sici(x)[0], 0.0), [[1.0]])
    assert_allclose(slope(lambda x: special.kl_div(x, x), 0.3), [[0.0]], atol=1e-15)
    assert_array_equal(slope(special.i0e, 0.0), [[0.0]])
    assert_array_equal(slope(lambda x: special.huber(1.0, x), 0.0), [[0.0]])
    # 1 / gamma has simple zeros at the poles: with the slopes (-1)^n n!.
    assert_allclose(np.diag(slope(special.rgamma, 0.0, -1.0, -3.0)), [1.0, -1.0, -6.0])
    assert_allclose(slope(lambda x: special.eval_legendre(3, x), 1.0), [[6.0]])
    assert_allclose(slope(lambda x: special.lambertw(x).real, 0.0), [[1.0]])
    assert_allclose(slope(special.ellipk, 0.0), [[np.pi / 8]])
    assert np.isnan(slope(special.erf, np.nan)).all()


def test_values_are_those_of_scipy():
    x = np.array([0.3, 1.9, 4.4])

    def f(x):
        seen = special.erfcx(x) * 1.0
        branches.append(bool(seen[0] == special.erfcx(0.3)) and bool(seen[2] == special.erfcx(4.4)))
        return seen

    branches: list[bool] = []
    sparse_jacobian(f, x)
    assert branches
    assert all(branches)


def test_shapes():
    assert sparse_jacobian(special.erf, np.empty(0)).shape == (0, 0)
    assert sparse_jacobian(special.erf, np.ones((1, 1))).toarray()[0, 0] == 2 / np.sqrt(np.pi) * np.exp(-1.0)
    x = np.array([[0.2, 0.5, 0.9], [1.1, 1.4, 1.8]])
    assert_close(lambda x: special.jv(np.array([[0.0], [1.0]]), x), x)
    assert_close(lambda x: special.betaln(x[:, :1], x[0]), x)
    assert_close(lambda x: special.beta(x[0], x[1]), x)
    assert_close(lambda x: [special.gamma(t) + special.xlogy(t, x[0]) for t in x], x[0])


@pytest.mark.parametrize("name", ["legendre", "chebyt", "chebyu", "chebys", "sh_legendre", "sh_chebyu"])
@pytest.mark.parametrize("degree", [-1, -2, -3, 0, 1, 1.5, -0.5])
def test_degrees_that_are_negative_or_broken(name, degree):
    assert_close(lambda x: getattr(special, f"eval_{name}")(degree, x), np.array(UNIT), 1e-8)


def test_out():
    x = np.array([0.2, 0.5, 0.9])

    def f(x):
        y = np.zeros(3)
        special.erf(x, out=y)
        special.gamma(x[:2], out=y[1:])
        return y

    assert_close(f, x)


@pytest.mark.parametrize(
    "f", [special.erf, lambda x: special.jv(2, x), lambda x: special.xlogy(np.array([1, 2, 3]), x)]
)
def test_single_precision(f):
    x, seen = np.array([0.2, 0.5, 0.9]), []

    def single(x):
        y = f(x.astype(np.float32))
        seen.append((repr(y), y.dtype))
        return y

    jacobian = sparse_jacobian(single, x)
    expected = f(x.astype(np.float32))
    assert seen == [(repr(expected), expected.dtype)]
    assert_allclose(jacobian.toarray(), differences(f, x).jacobian, rtol=1e-6)


def test_scalars_in_a_loop():
    def f(x):
        y = np.zeros(3)
        for i, t in enumerate(x):
            if t > 1.0:
                t = 0.5 * t
            y[i] = special.gamma(t) * special.erf(t) + abs(special.hankel1(1, t)) + special.airy(t)[2]
            y[i] += special.lambertw(t).real + special.round(t) + special.logsumexp([t, x[0]])
        return y

    x = np.array([0.4, 1.2, 2.3])
    jacobian = assert_close(f, x)
    assert jacobian.nnz == 5
    assert_allclose(prepare(f, x)(1.1 * x).toarray(), differences(f, 1.1 * x).jacobian, rtol=1e-8, atol=1e-8)


def test_repeated_argument_and_chain():
    assert_close(lambda x: special.beta(x, x**2) * special.erf(x[::-1]), np.array([0.4, 1.2, 2.1]))


FUNCTIONS = {
    "polygamma": lambda x: special.polygamma(2, x) + special.polygamma(np.array([0, 1, 3]), x),
    "zeta": lambda x: special.zeta(2.5, x),
    "lambertw": lambda x: np.concatenate([special.lambertw(x).real, special.lambertw(-x / 9, -1).real]),
    "lambertw of complex": lambda x: special.lambertw(x * (1 + 0.5j), 1).imag,
    "factorial": special.factorial,
    "comb": lambda x: special.comb(x + 4.0, x) + special.comb(6, x),
    "comb with repetition": lambda x: special.comb(x + 4.0, x, repetition=True),
    "perm": lambda x: special.perm(x + 4.0, x),
    "multigammaln": lambda x: special.multigammaln(x + 2.0, 3),
    "diric": lambda x: special.diric(x, 5) + special.diric(x, 4),
    "diric near a multiple of 2 pi": lambda x: special.diric(1e-4 * x, 3) + special.diric(2 * np.pi + 1e-4 * x, 6),
    "softplus": lambda x: special.softplus(x) if hasattr(special, "softplus") else np.log1p(np.exp(x)),
    "spherical": lambda x: special.spherical_jn(2, x) * special.spherical_yn(1, x),
    "modified spherical": lambda x: special.spherical_in(2, x) * special.spherical_kn(1, x),
    "derivatives of spherical": lambda x: (
        special.spherical_jn(2, x, derivative=True)
        + special.spherical_yn(1, x, True)
        + special.spherical_in(0, x, True)
        + special.spherical_kn(2, x, True)
    ),
    "derivatives of Bessel": lambda x: special.jvp(1, x) + special.yvp(0, x, 2) + special.ivp(2, x) * special.kvp(1, x),
    "derivatives of Hankel": lambda x: special.h1vp(1, x).real + special.h2vp(0, x, 2).imag,
    "legendre": lambda x: special.legendre(3)(x),
    "sinc": special.sinc,
    "math-like hooks": lambda x: [special.gammaln(t) for t in x],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    jacobian = assert_close(FUNCTIONS[name], np.array([0.4, 1.3, 2.2]))
    assert (jacobian.indices < 3).all()
    assert jacobian.nnz == jacobian.shape[0]


SOFT = {
    "logsumexp": special.logsumexp,
    "logsumexp along axis": lambda x: special.logsumexp(x, axis=0),
    "logsumexp keepdims": lambda x: x - special.logsumexp(x, axis=1, keepdims=True),
    "logsumexp weights": lambda x: special.logsumexp(x, axis=1, b=np.array([0.5, 2.0, 1.5])),
    "logsumexp traced weights": lambda x: special.logsumexp(x[0], b=x[1]),
    "logsumexp sign": lambda x: np.multiply(
        *special.logsumexp(x, b=np.array([1.0, -3.0, 0.5]), axis=1, return_sign=True)
    ),
    "softmax": special.softmax,
    "softmax along axis": lambda x: special.softmax(x, axis=1),
    "log_softmax": lambda x: special.log_softmax(x, axis=0),
}


@pytest.mark.parametrize("name", SOFT)
def test_sums_of_exponentials(name):
    assert_close(SOFT[name], np.array([[0.3, -1.2, 2.1], [1.7, 0.4, 0.9]]))


def test_patterns_of_sums_of_exponentials():
    x = np.array([[0.3, -1.2, 2.1], [1.7, 0.4, 0.9]])
    assert sparse_jacobian(lambda x: special.softmax(x, axis=1), x).nnz == 2 * 9
    assert sparse_jacobian(lambda x: special.logsumexp(x, b=np.array([1.0, 0.0, 2.0]), axis=1), x).nnz == 4
    big = np.array([1000.0, 999.0, -1000.0])
    share = np.exp([0.0, -1.0, -2000.0]) / (1 + np.exp(-1.0))
    assert_allclose(sparse_jacobian(special.logsumexp, big).toarray()[0], share)


def test_functions_without_slope():
    for name in STEPS:
        assert sparse_jacobian(lambda x, name=name: getattr(special, name)(x) * x, np.array([0.4, 1.3])).nnz == 2
        assert sparse_jacobian(getattr(special, name), np.array([0.4, 1.3])).nnz == 0


def without_rule():
    for name, arguments in INSTALLED.items():
        for k, rule in enumerate(rules_of(name)):
            if rule is None and not np.issubdtype(np.asarray(arguments[k]).dtype, np.integer):
                yield name, k, arguments


@pytest.mark.parametrize(("name", "k", "arguments"), [pytest.param(*c, id=f"{c[0]}-{c[1]}") for c in without_rule()])
def test_arguments_without_rule_are_refused(name, k, arguments):
    ufunc = getattr(special, name)
    with pytest.raises(UntraceableError, match=f"special.{name} whose argument {k + 1}"):
        sparse_jacobian(lambda x: ufunc(*arguments[:k], x, *arguments[k + 1 :]), np.array(arguments[k], dtype=float))


def test_an_order_that_does_not_depend_on_x_differentiably_is_fine():
    assert_close(lambda x: special.jv(np.floor(x), x), np.array([0.4, 1.3, 2.2]))


REFUSED = {
    "a ufunc without rule": lambda x: special.zetac(x),
    "another one": lambda x: special.agm(x, 2.0),
    "exact": lambda x: special.comb(x, 2, exact=True),
    "zeta": lambda x: special.zeta(x + 2),
    "ive of complex": lambda x: special.ive(1, x + 1j * x).real,
    "psi of complex": lambda x: special.psi(x + 1j * x).real,
    "ufunc method": lambda x: special.xlogy.outer(x, x),
    "logsumexp of complex": lambda x: special.logsumexp(1j * x).real,
}
if hasattr(special, "sph_harm_y"):
    REFUSED["sph_harm_y"] = lambda x: special.sph_harm_y(1, 1, x, 0.3).real


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with pytest.raises(UntraceableError):
        sparse_jacobian(REFUSED[name], np.array([0.4, 1.3, 2.2]))


def test_every_ufunc_is_followed_or_refused():
    followed = 0
    for name in dir(special):
        ufunc = getattr(special, name)
        if not isinstance(ufunc, np.ufunc) or name in RULES or name in STEPS:
            followed += name in RULES
            continue
        with pytest.raises(UntraceableError, match=name):
            sparse_jacobian(lambda x, f=ufunc: f(*[x] * f.nin), np.array([0.4]))
    assert followed >= 120


def test_sparse_in_a_larger_function():
    def f(x):
        y = np.zeros(6)
        y[1:] = special.erf(np.diff(x))
        y[0] = special.expit(x[0])
        return y

    x = np.linspace(0.1, 1.4, 6)
    jacobian = assert_close(f, x)
    assert jacobian.nnz == 11


def test_integers_stay_integers():
    # The recurrence of integer degrees and the hypergeometric function of real ones differ in the last digits.
    x = np.array([0.21, 0.77])
    for n, kind in product((7, 7.0, np.int64(7), np.array([7])), (special.eval_legendre,)):
        seen = []
        sparse_jacobian(lambda x, n=n, kind=kind, seen=seen: seen.append(repr(kind(n, x))) or x, x)
        assert seen == [repr(kind(n, x))]
