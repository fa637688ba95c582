"""Rules of users: by jvp, vjp or differences, of any sparsity, and what is said of rules that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from oracles import differences
from sparsejac import InputError, InputTypeError, UntraceableError, prepare, primitive, sparse_jacobian

X = np.array([0.5, 1.5, 2.0, -1.0])


def opaque(a, b):
    """Products of neighbours of a, plus squares of a number b."""
    assert type(a) is np.ndarray
    assert type(b) is float
    return a[1:] * a[:-1] + b**2


def forward(args, tangents):
    (a, b), (da, db) = args, tangents
    return a[1:] * da[:-1] + a[:-1] * da[1:] + 2.0 * b * db


def backward(args, w):
    a, b = args
    gradient = np.zeros_like(a)
    gradient[:-1] += w * a[1:]
    gradient[1:] += w * a[:-1]
    return gradient, np.asarray(2.0 * b * w.sum())


BANDS = sp.diags_array([np.ones(3), np.ones(3)], offsets=[0, 1], shape=(3, 4)).tocsr()
RULES = {"jvp": {"jvp": forward}, "vjp": {"vjp": backward}, "both": {"jvp": forward, "vjp": backward}}
SPARSITIES = {"dense": "dense", "bands": (BANDS, "dense"), "array": (BANDS.toarray(), np.ones((3, 1)))}


@pytest.mark.parametrize("rule", [*RULES, "differences"])
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_every_rule_gives_the_derivative_within_code_that_is_followed(rule, sparsity):
    made = primitive(opaque, sparsity=SPARSITIES[sparsity], differences=True, **RULES.get(rule, {}))

    def f(x, call=made):
        return np.sin(call(x * 2.0, 1.0 * x[2])) * x[:3]

    expected = differences(lambda x: f(x, lambda a, b: opaque(a, float(b))), X).jacobian
    tolerance = 1e-8 if rule == "differences" else 1e-10
    np.testing.assert_allclose(sparse_jacobian(f, X).toarray(), expected, rtol=tolerance, atol=tolerance)
    plan = prepare(f, X)
    moved = differences(lambda x: f(x, lambda a, b: opaque(a, float(b))), X + 1.0).jacobian
    np.testing.assert_allclose(plan(X + 1.0).toarray(), moved, rtol=tolerance, atol=tolerance)
    assert plan.num_variants == 1


def test_the_sparsity_that_is_stated_is_that_of_the_result():
    banded = primitive(opaque, jvp=forward, sparsity=(BANDS, "dense"))
    assert sparse_jacobian(lambda x: banded(x, 1.0), X).nnz == 6
    full = primitive(opaque, jvp=forward)
    assert sparse_jacobian(lambda x: full(x, 1.0), X).nnz == 12


def test_as_few_products_as_colors():
    counted = []

    def counting(args, tangents):
        counted.append(tangents)
        return forward(args, tangents)

    banded = primitive(opaque, jvp=counting, sparsity=(BANDS, "dense"))
    plan = prepare(lambda x: banded(x, 1.0), X)
    plan(X)
    counted.clear()
    plan(X + 1.0)
    assert len(counted) == 2 + 1  # two colors of a bidiagonal matrix, and one random direction as a check


def test_elementwise_rules_work_on_arrays_of_any_shape_and_on_scalars():
    def slope(args, tangents):
        return 3.0 * args[0] ** 2 * tangents[0]

    cube = primitive(lambda t: t**3, jvp=slope, sparsity="elementwise")
    J = sparse_jacobian(lambda x: cube(x.reshape(2, 2)).T.ravel() + cube(x[0]), X)
    expected = np.zeros((4, 4))
    expected[[0, 1, 2, 3], [0, 2, 1, 3]] = 3.0 * X[[0, 2, 1, 3]] ** 2
    expected[:, 0] += 3.0 * X[0] ** 2
    np.testing.assert_allclose(J.toarray(), expected, rtol=1e-14)
    assert J.nnz == 7


def test_outside_of_a_trace_it_is_the_function_itself():
    made = primitive(opaque, jvp=forward)
    np.testing.assert_array_equal(made(X, 2.0), opaque(X, 2.0))
    assert made.__name__ == "opaque"
    assert made.__doc__ == opaque.__doc__
    constant = sparse_jacobian(lambda x: x[:3] * made(X, 2.0), X)
    np.testing.assert_array_equal(constant.toarray()[:, :3], np.diag(opaque(X, 2.0)))


def test_options_and_constant_arguments_are_passed_on_and_their_changes_are_seen():
    def power(a, n, *, scale):
        assert isinstance(n, int)
        return scale * a**n

    def rule(args, tangents, *, scale):
        assert tangents[1] is None
        return scale * args[1] * args[0] ** (args[1] - 1) * tangents[0]

    made = primitive(power, jvp=rule, sparsity="elementwise")
    for n, scale in ((2, 1.0), (3, 1.0), (3, 5.0)):
        J = sparse_jacobian(lambda x, n=n, scale=scale: made(x, n, scale=scale), X)
        np.testing.assert_allclose(J.toarray(), np.diag(scale * n * X ** (n - 1)), rtol=1e-14)


def test_constant_arrays_are_told_apart_by_all_their_content():
    table = np.zeros(5000)

    def looked_up(a, values):
        return a * values[2500]

    def rule(args, tangents):
        return tangents[0] * args[1][2500]

    made = primitive(looked_up, jvp=rule, sparsity=("elementwise", "dense"))
    for entry in (1.0, 7.0):
        table[2500] = entry
        np.testing.assert_array_equal(sparse_jacobian(lambda x: made(x, table), X).toarray(), entry * np.eye(4))


def test_empty_arrays():
    made = primitive(lambda a: a * 2.0, jvp=lambda args, t: 2.0 * t[0], sparsity="elementwise")
    assert sparse_jacobian(lambda x: made(x), np.zeros(0)).shape == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jvp": forward, "sparsity": (sp.eye_array(3, 4), "dense")}, "leaves out entries of row 0"),
        ({"vjp": backward, "sparsity": (sp.eye_array(3, 4), "dense")}, "leaves out entries of column"),
        ({"jvp": forward, "sparsity": sp.eye_array(4)}, "does not fit a local Jacobian of shape"),
        ({"jvp": forward, "sparsity": ("dense",)}, "1 members for 2 arguments"),
        ({"jvp": lambda args, t: t[0]}, r"derivative of shape \(4,\) and dtype float64, expected .* shape \(3,\)"),
        ({"jvp": lambda args, t: 1j * t[0][1:]}, r"shape \(3,\) and dtype complex128, expected real numbers"),
        ({"vjp": lambda args, w: (1j * np.ones(4), 0.0)}, r"shape \(4,\) and dtype complex128, expected real numbers"),
        ({"jvp": lambda args, t: None}, "gave None"),
        ({"vjp": lambda args, w: w}, "tuple of 2 gradients"),
        ({"jvp": lambda args, t: np.sign(t[0][1:])}, "not linear"),
    ],
)
def test_rules_that_are_wrong_are_named(wrong, message):
    made = primitive(opaque, **wrong)
    with pytest.raises(InputError, match=message):
        sparse_jacobian(lambda x: made(x, 1.0), X)


def test_differences_that_are_not_accurate_are_refused():
    jump = primitive(lambda t: np.where(t > 0.5, 1.0, 0.0), sparsity="elementwise", differences=True)
    with pytest.raises(InputError, match="differences are off"):
        sparse_jacobian(lambda x: jump(x), X)


def test_without_a_derivative_there_is_no_primitive():
    with pytest.raises(InputTypeError, match="no derivative"):
        primitive(opaque)
    with pytest.raises(InputError, match="sparsity='diagonal'"):
        primitive(opaque, jvp=forward, sparsity="diagonal")


def test_complex_arguments_keywords_and_complex_results_are_refused():
    made = primitive(lambda a, *, b=0.0: a, jvp=lambda args, t, **k: t[0])
    with pytest.raises(UntraceableError, match="complex"):
        sparse_jacobian(lambda x: made(x + 1j * x).real, X)
    with pytest.raises(UntraceableError, match="keyword"):
        sparse_jacobian(lambda x: made(x, b=x[0]), X)
    waves = primitive(lambda a: np.exp(1j * a), differences=True)
    with pytest.raises(InputTypeError, match="complex128"):
        sparse_jacobian(lambda x: waves(x), X)


def test_the_function_sees_ordinary_numpy_also_while_f_is_followed():
    def compiled(a):
        work = np.zeros(len(a))
        assert type(work) is np.ndarray  # compiled code insists
        work[:] = a**2
        return work

    def rule(args, tangents):
        return compiled(args[0]) / args[0] * 2.0 * tangents[0]

    made = primitive(compiled, jvp=rule, sparsity="elementwise")
    J = sparse_jacobian(lambda x: made(x) + made(np.ones(4)) * x, X)
    np.testing.assert_allclose(J.toarray(), np.diag(2.0 * X + 1.0), rtol=1e-14)
