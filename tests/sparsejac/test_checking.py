"""check_jacobian: right Jacobians pass, planted errors are named by row, column and line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

import sparsejac
from cases import Case, oracle
from catalogue import CASES
from sparsejac import InputError, InputTypeError, UntraceableError, WrongJacobianError, check_jacobian, prepare
from sparsejac.checks.differences import slope_along
from sparsejac.evaluation import engines as engines_module
from sparsejac.primitives import PRIMITIVES
from sparsejac.schedules import partials as partials_module

X = np.array([0.3, 1.2, -2.1, 0.7, 1.9])


def line_with(f: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(f)
    (found,) = [first + k for k, line in enumerate(lines) if text in line]
    return found


def places(report: sparsejac.JacobianCheck) -> list[tuple[str, int, int | None]]:
    return sorted((finding.kind, finding.row, finding.column) for finding in report.findings)


def model(x: Any) -> Any:
    s = np.sin(x)  # sine
    y = s[1:] * x[:-1]  # product
    return np.concatenate([y, [np.sum(x**2)]])


def dense(f: Callable[..., Any] = model, x: Any = X) -> Any:
    """Its Jacobian by complex step."""
    columns = []
    for j in range(len(x)):
        z = x.astype(complex)
        z[j] += 1e-30j
        columns.append(np.imag(f(z)) / 1e-30)
    return np.array(columns).T


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("complex_step", [True, False])
def test_right_jacobians_pass(case: Case, complex_step: bool) -> None:
    """No false alarm; the Jacobian is that of the oracle, so that a fault of the tracer is not this test's."""
    jac = oracle(case).jacobian
    report = check_jacobian(case.f, case.point(), *case.args, jac=jac, complex_step=complex_step, directions=2)
    assert report.ok, str(report)
    assert report
    assert not report.findings
    assert not report.hidden
    assert report.max_error < 1e-6
    assert "agrees" in str(report)


@pytest.mark.parametrize("case", CASES[::9], ids=lambda case: case.name)
def test_traced_jacobians_pass(case: Case) -> None:
    assert check_jacobian(case.f, case.point(), *case.args).ok


@pytest.mark.parametrize("seed", range(12))
def test_planted_errors_are_named_exactly(seed: int) -> None:
    """Wrong values, missing entries and entries too many, at random places; just these are found."""
    random = np.random.default_rng(seed)
    jac = dense()
    rows, columns = np.nonzero(jac)
    pick = random.permutation(len(rows))[:2]
    wrong, missing = zip(rows[pick].tolist(), columns[pick].tolist(), strict=True)
    blank = random.permutation(np.argwhere(jac == 0.0))[0].tolist()
    jac[wrong] *= 1.0 + random.choice([-1.0, 1.0]) * 10.0 ** random.uniform(-4, 0)
    jac[missing] = 0.0
    jac[blank[0], blank[1]] = random.uniform(0.1, 1.0)
    report = check_jacobian(model, X, jac=csr_array(jac), seed=seed)
    assert not report.ok
    assert places(report) == sorted([("wrong", *wrong), ("missing", *missing), ("wrong", *blank)])
    right = dense()
    for finding in report.findings:
        assert finding.column is not None
        np.testing.assert_allclose(finding.expected, right[finding.row, finding.column], rtol=1e-9, atol=1e-9)
        assert abs(finding.expected - right[finding.row, finding.column]) <= 10.0 * finding.error + 1e-12
        np.testing.assert_allclose(finding.got, jac[finding.row, finding.column], rtol=1e-12)


def test_report_shows_the_lines_that_lead_there() -> None:
    jac = dense()
    jac[2, 3] *= 1.5
    report = check_jacobian(model, X, jac=jac)
    (finding,) = report.findings
    assert (finding.output, finding.unknown) == ("output[2]", "x[3]")
    assert finding.why is not None
    assert {line.number for line in finding.why.lines} >= {line_with(model, "# sine"), line_with(model, "# product")}
    text = str(report)
    assert "row 2, column 3 (output[2] by x[3]): wrong" in text
    assert f'File "{__file__}", line {line_with(model, "# sine")}, in model' in text
    assert "s = np.sin(x)  # sine" in text
    assert "1 of 5 rows" in text


def test_an_entry_that_nothing_leads_to_is_said_to_be_unread() -> None:
    jac = dense()
    jac[0, 4] = 1.0
    (finding,) = check_jacobian(model, X, jac=jac).findings
    assert finding.why is not None
    assert finding.why.reason == "unread"


@contextmanager
def planted(**changes: Any) -> Iterator[None]:
    """Another rule of the sine; nothing that is kept was made by the other one, before or afterwards."""

    def forget() -> None:
        engines_module.clear()
        partials_module._linearized.cache_clear()

    forget()
    try:
        with patch.dict(PRIMITIVES, sin=replace(PRIMITIVES["sin"], **changes)):
            yield
    finally:
        forget()


def test_a_wrong_partial_of_the_tracer_is_found() -> None:
    """The rule of the sine loses its sign: every entry behind it is wrong, and its line is named."""
    with planted(partials=(lambda y, x: -x.call("cos"),)):
        report = check_jacobian(model, X)
    assert places(report) == [("wrong", row, row + 1) for row in range(4)]
    assert all(f.why is not None and f.why.lines[0].number == line_with(model, "# sine") for f in report.findings)
    assert check_jacobian(model, X).ok


def test_a_partial_declared_zero_is_a_missing_entry() -> None:
    with planted(partials=(None,)):
        report = check_jacobian(model, X)
    assert places(report) == [("missing", row, row + 1) for row in range(4)]
    for finding in report.findings:
        assert finding.why is not None
        assert finding.why.reason == "zero derivative"
        assert finding.why.culprit is not None
        assert finding.why.culprit.name == "np.sin"


def test_jacobians_of_all_sorts_are_taken() -> None:
    jac = dense()
    for given in (jac, jac.tolist(), csr_array(jac), coo_array(jac), lambda x: jac, prepare(model, X)):
        assert check_jacobian(model, X, jac=given).ok
    assert check_jacobian(lambda x, c: model(c * x), X, 2.0, jac=lambda x, c: dense(lambda z: model(c * z), x)).ok
    assert check_jacobian(lambda x: np.sum(x**2), X, jac=2.0 * X).ok  # a gradient
    assert not check_jacobian(lambda x: np.sum(x**2), X, jac=2.1 * X).ok


def test_nothing_is_traced_for_a_given_jacobian_that_is_right() -> None:
    def f(x: Any) -> Any:
        return np.array([float(v) ** 2 for v in np.asarray(x.tolist())])  # traced values would not get through

    assert check_jacobian(f, X, jac=np.diag(2.0 * X), complex_step=False).ok
    report = check_jacobian(f, X, jac=np.diag(2.0 * X) + np.eye(5, k=1))
    assert places(report) == [("wrong", k, k + 1) for k in range(4)]


def test_untraceable_functions_have_findings_without_lines() -> None:
    def f(x: Any) -> Any:
        return np.frombuffer(x.tobytes(), dtype=x.dtype) ** 2

    report = check_jacobian(f, X, jac=np.diag(3.0 * X))
    assert places(report) == [("wrong", k, k) for k in range(5)]
    assert all(finding.why is None for finding in report.findings)
    with pytest.raises(UntraceableError):
        check_jacobian(f, X)


@pytest.mark.parametrize(
    ("f", "column"),
    [
        (lambda x: np.abs(x[1:]) + x[:-1], 2),
        (lambda x: np.maximum(x[1:], 0.0) * 2.0, 2),
        (lambda x: np.sqrt(x[1:] ** 2), 2),
        (lambda x: np.array([x[1], np.max(np.abs(x[2:3])), x[3]]), 2),
        (lambda x: np.abs(x[1:] - 1e-7), 2),
    ],
)
def test_kinks_are_named(f: Callable[[Any], Any], column: int) -> None:
    x = np.array([0.3, 1.2, 0.0, 0.7])
    with np.errstate(all="ignore"):
        jac = dense(f, np.array([0.3, 1.2, 0.5, 0.7]))
        report = check_jacobian(f, x, jac=jac)
    kinked = [finding for finding in report.findings if finding.kind == "not differentiable"]
    assert {(finding.row, finding.column) for finding in kinked} == {(1, column)}
    assert "not differentiable near x" in str(report)
    behind, ahead = kinked[0].slopes
    assert abs(ahead - behind) > 0.5


def test_slopes_at_a_kink() -> None:
    (finding,) = check_jacobian(lambda x: np.where(x > 0.0, 3.0 * x, -x), np.array([0.0, 1.0])).findings
    np.testing.assert_allclose(finding.slopes, (-1.0, 3.0), atol=1e-9)


@pytest.mark.parametrize("jump", [np.floor, np.sign, lambda x: np.where(x >= 1.0, 1.0, 0.0)])
def test_jumps_do_not_pass(jump: Callable[[Any], Any]) -> None:
    x = np.array([0.5, 1.0 if jump is not np.sign else 0.0, 0.25])
    report = check_jacobian(lambda x: jump(x) + x**2, x)
    assert report.bad_rows == (1,)
    assert {(f.row, f.column) for f in report.findings} == {(1, 1)}
    assert {f.kind for f in report.findings} <= {"unsettled", "not differentiable"}


def test_kinks_beside_x_do_no_harm() -> None:
    assert check_jacobian(lambda x: np.abs(x - 0.01), np.array([0.02, -1.0, 0.0])).ok


def test_noise_is_told_from_error() -> None:
    random = np.random.default_rng(0)

    def noisy(x: Any) -> Any:
        y = x[1:] * 2.0
        y[0] += 1e-3 * random.normal()
        return y

    report = check_jacobian(noisy, X, jac=2.0 * np.eye(5)[1:])
    assert report.bad_rows == (0,)
    assert places(report) == [("unsettled", 0, None)]
    assert "do not settle" in str(report)


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e10])
def test_rounding_inside_f_is_no_error(offset: float) -> None:
    report = check_jacobian(lambda x: (offset + x**2) - offset, X)
    assert report.ok, str(report)


def test_rounding_that_hides_the_slope_is_no_wrong_entry() -> None:
    for seed in range(8):
        report = check_jacobian(lambda x: (1e12 + x**2) - 1e12, X, seed=seed)
        assert {finding.kind for finding in report.findings} <= {"unsettled"}


def test_slopes_below_the_rounding_of_f_are_told() -> None:
    report = check_jacobian(lambda x: 1e18 + x, X)
    assert report.ok
    assert report.hidden == tuple(range(5))
    assert "below the rounding of f" in str(report)
    assert "rows 0, 1, 2, 3, 4" in str(report)


def test_infinite_derivatives_and_edges_of_the_domain() -> None:
    x = np.array([0.0, 1.0, 2.0])
    report = check_jacobian(np.sqrt, x)
    assert places(report) == [("not finite", 0, 0)]
    assert check_jacobian(np.log, np.array([1e-6, 1.0, 1e3])).ok  # steps in proportion to x stay inside
    assert places(check_jacobian(lambda x: x**1.5, x)) == [("not finite", 0, None)]  # no values behind 0
    with np.errstate(invalid="ignore"):
        nowhere = check_jacobian(np.log, np.array([1.0, -1.0]), jac=np.diag([1.0, -1.0]))
    assert places(nowhere) == [("not finite", 1, None)]


def test_functions_that_raise_beside_x() -> None:
    def f(x: Any) -> Any:
        if np.any(np.real(x) > 2.0):
            raise ValueError("outside")
        return x**2

    assert check_jacobian(f, np.array([1.999, 1.0]), jac=np.diag([3.998, 2.0]), complex_step=False).ok


def test_unknowns_of_very_different_size() -> None:
    x = np.array([1e-8, 1.0, 1e6])

    def f(x: Any) -> Any:
        return np.stack([x[0] * 1e8 + x[1], x[2] ** 2, np.exp(x[0] * 1e8)])

    jac = dense(f, x)
    assert check_jacobian(f, x, jac=jac).ok
    for row, column in np.argwhere(jac != 0.0).tolist():
        wrong = jac.copy()
        wrong[row, column] *= 1.001
        assert (row, column) in {(f.row, f.column) for f in check_jacobian(f, x, jac=wrong).findings}


def test_many_columns_are_halved_not_walked() -> None:
    calls = 0
    n = 3000

    def f(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return x[1:] * x[:-1]

    x = np.random.default_rng(0).uniform(1.0, 2.0, n)
    jac = csr_array(sparsejac.sparse_jacobian(f, x))
    jac.data[2 * 1234] *= 1.01
    calls = 0
    report = check_jacobian(f, x, jac=jac)
    assert places(report) == [("wrong", 1234, 1234)]
    assert calls < 1500  # 12 halvings with two comparisons each


def test_many_findings_are_counted() -> None:
    x = np.linspace(1.0, 2.0, 40)
    report = check_jacobian(lambda x: x**2, x, jac=np.diag(x))
    assert len(report.bad_rows) == 40
    assert len(report.findings) == 10
    assert "in 40 of 40 rows" in str(report)
    assert "and in rows 10, 11" in str(report)


def test_errors_below_the_tolerance_pass() -> None:
    jac = dense()
    jac[2, 2] *= 1.0 + 1e-8
    assert check_jacobian(model, X, jac=jac).ok
    assert not check_jacobian(model, X, jac=jac, rtol=1e-11).ok
    jac[2, 2] *= 1.01
    assert check_jacobian(model, X, jac=jac, rtol=0.1).ok


def test_raises_on_request() -> None:
    jac = dense()
    jac[1, 2] += 1.0
    assert not check_jacobian(model, X, jac=jac)
    with pytest.raises(WrongJacobianError, match=r"row 1, column 2 \(output\[1\] by x\[2\]\)") as raised:
        check_jacobian(model, X, jac=jac, raises=True)
    assert isinstance(raised.value, AssertionError)
    assert check_jacobian(model, X, raises=True).ok


class Pair(NamedTuple):
    """Two arrays of unknowns."""

    u: Any
    v: Any


def test_nested_unknowns_several_arguments_and_keywords() -> None:
    def f(t: float, state: Pair, *, scale: float) -> Any:
        return {"a": np.sin(state.u) * t, "b": scale * state.v[0] * state.u[:, 1]}

    state = Pair(np.linspace(0.1, 1.0, 6).reshape(2, 3), np.array([0.5, 0.7]))
    kwargs = {"scale": 2.0}
    assert check_jacobian(f, 1.5, state, argnums=1, kwargs=kwargs).ok
    assert check_jacobian(f, 1.5, state, argnums=(0, 1), kwargs=kwargs).ok
    blocks = sparsejac.sparse_jacobian(f, 1.5, state, argnums=1, kwargs=kwargs)
    assert check_jacobian(f, 1.5, state, argnums=1, kwargs=kwargs, jac=blocks).ok
    blocks["b"].u.data[:] *= 2.0
    report = check_jacobian(f, 1.5, state, argnums=1, kwargs=kwargs, jac=blocks)
    assert [(finding.output, finding.unknown) for finding in report.findings] == [
        ("output['b'][0]", "x.u[0, 1]"),
        ("output['b'][1]", "x.u[1, 1]"),
    ]


@pytest.mark.parametrize("x", [3.0, np.float64(3.0), np.array(3.0), [3.0], np.zeros((0, 2)), np.ones((2, 3))])
def test_shapes_of_x(x: Any) -> None:
    def f(x: Any) -> Any:
        return x * x * 2.0

    assert check_jacobian(lambda x: f(np.asarray(x) if isinstance(x, list) else x), x).ok
    wrong = check_jacobian(f, np.asarray(x), jac=np.eye(np.size(x)) * 77.0)
    assert wrong.ok == (np.size(x) == 0)


def test_a_transposed_jacobian_is_no_jacobian() -> None:
    """As many numbers in other places; with the axes of the result and those of x, they are in the right ones."""

    def f(x: Any) -> Any:
        return x[:, 0] * x[0, 1]

    x = np.arange(1.0, 7.0).reshape(2, 3)
    jac = sparsejac.jacfwd(f, x)
    assert jac.shape == (2, 2, 3)
    assert check_jacobian(f, x, jac=jac).ok
    assert check_jacobian(f, x, jac=jac.reshape(2, 6)).ok
    for wrong in (jac.reshape(2, 6).T, np.moveaxis(jac, 0, 2), jac.reshape(3, 4), jac.ravel()):
        with pytest.raises(InputError, match=r"the Jacobian has shape .*, f and x make it \(2, 6\)"):
            check_jacobian(f, x, jac=wrong)


def test_blocks_are_arrays_as_jacfwd_gives_them() -> None:
    """Numbers among the unknowns or the results leave fewer axes, matrices more."""
    x: Any = {"a": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "b": 3.0}
    f: Any
    for f in (lambda x: x["a"] * x["b"], lambda x: {"u": x["a"][0], "v": x["b"] ** 2}, lambda x: x["b"] * x["a"][0, 0]):
        jac: Any = sparsejac.jacfwd(f, x)
        assert check_jacobian(f, x, jac=jac).ok
        assert check_jacobian(f, x, jac=lambda x, f=f: sparsejac.jacfwd(f, x)).ok
        assert check_jacobian(f, x, jac=sparsejac.sparse_jacobian(f, x)).ok
    jac["a"] = jac["a"] + 1.0
    assert not check_jacobian(f, x, jac=jac).ok
    with pytest.raises(InputError, match=r"the Jacobian has shape \(3, 2\), f and x make it \(1, 6\)"):
        check_jacobian(f, x, jac={"a": jac["a"].T, "b": jac["b"]})


def test_numbers_in_arrays_of_objects_and_operators() -> None:
    """What code generators give; an operator of one by one would be taken for a function that gives the number."""
    assert check_jacobian(lambda x: x**2, X, jac=np.diag(2.0 * X).astype(object)).ok
    assert check_jacobian(lambda x: x * 2.0, X, jac=2.0 * np.eye(5, dtype=np.float16)).ok
    for f, x in ((lambda x: x**2, X), (lambda x: x**2, X[:1])):
        for operator in (sparsejac.jacobian_operator(f, x), lambda x, f=f: sparsejac.jacobian_operator(f, x)):
            with pytest.raises(InputTypeError, match=r"holds object values(.|\n)*operator @ np.eye"):
                check_jacobian(f, x, jac=operator)


def test_results_without_elements() -> None:
    assert check_jacobian(lambda x: x[:0], X).ok
    assert check_jacobian(lambda x: np.sum(x), np.zeros(0)).shape == (1, 0)


def test_f_sees_copies() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(x)
        y = x**2
        x[:] = 0.0
        return y

    x = X.copy()
    assert check_jacobian(f, x).ok
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"jac": np.ones((4, 5))}, InputError),
        ({"directions": 0}, InputError),
        ({"directions": "4"}, InputError),
        ({"directions": 2.5}, InputError),
        ({"seed": "zero"}, InputError),
        ({"seed": -1}, InputError),
        ({"raises": "yes"}, InputTypeError),
        ({"jac": 1j * np.ones((5, 5))}, InputTypeError),
        ({"jac": "text"}, InputTypeError),
        ({"jac": lambda x: None}, InputTypeError),
        ({"jac": sparsejac.jacobian_sparsity(np.sin, np.ones(5))}, InputTypeError),
        ({"jac": [[1.0], [1.0, 2.0]]}, InputError),
        ({"rtol": -1.0}, InputError),
        ({"rtol": True}, InputError),
        ({"argnums": 3}, InputError),
    ],
)
def test_bad_arguments_raise(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="check_jacobian") as raised:
        check_jacobian(model, X, **arguments)
    assert "Cure:" in str(raised.value)
    assert re.search(r"test_checking\.py", str(raised.value))


def test_results_that_are_no_real_numbers_raise() -> None:
    with pytest.raises(InputTypeError, match="complex128"):
        check_jacobian(lambda x: x * 1j, X)
    with pytest.raises(InputTypeError, match="not callable"):
        check_jacobian(3.0, X)  # type: ignore[arg-type]


def test_slope_and_its_error_estimate() -> None:
    """The estimated error covers the real one, with and without the complex step."""
    for k, (f, df) in enumerate(
        [(np.sin, np.cos), (np.exp, np.exp), (np.arctan, lambda x: 1.0 / (1.0 + x**2)), (np.cbrt, None)]
    ):
        x = np.random.default_rng(k).uniform(0.5, 3.0, 50)
        direction = np.random.default_rng(k + 1).uniform(-1.0, 1.0, 50)
        right = (df(x) if df else 1.0 / (3.0 * np.cbrt(x) ** 2)) * direction
        for complex_step in (True, False):
            slope = slope_along(f, x, f(x), direction, complex_step=complex_step)
            assert (np.abs(slope.value - right) <= 10.0 * slope.error).all()
            assert (slope.error < 1e-8).all()
            assert slope.by_complex_step.all() == (complex_step and f is not np.cbrt)  # which takes no complex numbers
            assert not slope.kinked.any()


def test_a_complex_step_that_lies_is_not_used() -> None:
    """abs of a complex number loses the imaginary part, as a cast to real numbers does."""

    def f(x: Any) -> Any:
        return np.abs(x) * np.sign(np.real(x)) * 2.0

    slope = slope_along(f, X, f(X), np.ones(5))
    np.testing.assert_allclose(slope.value, 2.0, rtol=1e-9)
    assert not slope.by_complex_step.any()
