"""Python around the arrays: functions that call f's own functions, lists, iterators, text, the math module."""

from __future__ import annotations

import cmath
import functools
import io
import itertools
import json
import logging
import math
import statistics
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

from dense_checks import check
from sparsejac import UntraceableError, prepare, sparse_jacobian, value_and_jacobian

X = np.array([0.7, 1.3, 2.1, 0.4])
NEGATIVE = np.array([-0.7, 1.3, 2.1, -0.4])


def relu(t: Any) -> Any:
    """Branch on a number."""
    return t * t if t > 0 else -3.0 * t


def sum_and_product(a: Any, b: Any) -> Any:
    return a + b, a * b


CALLING: dict[str, Callable[[Any], Any]] = {
    "vectorize": lambda x: np.vectorize(relu)(x),
    "vectorize as f": np.vectorize(relu),
    "vectorize, broadcast": lambda x: np.vectorize(lambda t, s: t * s)(x.reshape(2, 2), x[:2]),
    "vectorize of two results": lambda x: np.concatenate(np.vectorize(sum_and_product)(x, 2.0)),
    "vectorize with excluded": lambda x: np.vectorize(_powers, excluded=["p"])(x, p=[3.0, 1.0]),
    "vectorize, excluded by position": lambda x: np.vectorize(_powers, excluded={1})(x, [x[0], 1.0]),
    "vectorize with keywords": lambda x: np.vectorize(lambda a, b=2.0: a * b)(x, b=x[::-1]),
    "vectorize with otypes": lambda x: np.vectorize(math.sin, otypes=[float])(x),
    "vectorize with integers": lambda x: np.vectorize(lambda t: math.floor(t), otypes=[int])(x) * x,
    "vectorize of one number": lambda x: np.vectorize(relu)(x[0]) * x,
    "vectorize with a signature": lambda x: np.vectorize(np.dot, signature="(n),(n)->()")(x.reshape(2, 2), x[:2]),
    "vectorize of rows": lambda x: np.vectorize(lambda r: r[::-1] * 2, signature="(n)->(n)")(x.reshape(2, 2)),
    "vectorize made in f": lambda x: np.vectorize(lambda t: t * x[0])(np.arange(3.0)),
    "apply_along_axis, numbers": lambda x: np.apply_along_axis(lambda r: r[0] * r[1], 1, x.reshape(2, 2)),
    "apply_along_axis, rows": lambda x: np.apply_along_axis(lambda r: r[:1] ** 2, 0, x.reshape(2, 2)),
    "apply_along_axis, tables": lambda x: np.apply_along_axis(np.diag, -1, x.reshape(2, 2)),
    "apply_along_axis, arguments": lambda x: np.apply_along_axis(lambda r, a, b=1: r * a + b, 1, x[None], 2.0, b=x[0]),
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x.reshape(2, 1, 2), [0, 2]),
    "frompyfunc": lambda x: list(np.frompyfunc(lambda a, b: a * b, 2, 1)(x, 2.0)),
    "frompyfunc of two results": lambda x: _numbers(np.concatenate(np.frompyfunc(sum_and_product, 2, 2)(x, x[::-1]))),
    "fromfunction": lambda x: np.fromfunction(lambda i, j: i * x[0] + j * x[1], (2, 3)),
    "map": lambda x: np.array(list(map(relu, x))),
    "filter": lambda x: np.array(list(filter(lambda t: t > 0.5, x))),
    "reduce": lambda x: functools.reduce(lambda a, b: a * b, x) * x,
    "accumulate": lambda x: list(itertools.accumulate(x)),
    "accumulate products": lambda x: np.array(list(itertools.accumulate(x, lambda a, b: a * b))),
    "combinations": lambda x: [a * b for a, b in itertools.combinations(x, 2)],
    "statistics": lambda x: np.array([statistics.mean(list(x)), statistics.fmean(x), statistics.stdev(list(x))]),
    "median": lambda x: statistics.median(list(x)) * x,
    "variances": lambda x: np.array([statistics.variance(x), statistics.pvariance(x), statistics.pstdev(x)]),
}


def _powers(t: Any, p: Any) -> Any:
    return t ** p[0] + p[1]


def _doubled(x: Any, **options: Any) -> Any:
    y = np.zeros((2, 2))
    with np.nditer([x.reshape(2, 2), y], op_flags=[["readonly"], ["readwrite"]], **options) as pairs:
        for a, b in pairs:
            b[...] = 2.0 * a + b
    return y


def _while(x: Any) -> Any:
    it = np.nditer(x.reshape(2, 2), flags=["multi_index"])
    total = 0.0
    while not it.finished:
        total = total + it[0] * (1 + it.multi_index[0] + 3 * it.multi_index[1])
        it.iternext()
    return total * x


ITERATING: dict[str, Callable[[Any], Any]] = {
    "nditer": lambda x: [t * t for t in np.nditer(x)],
    "nditer in memory order": lambda x: [k * t for k, t in enumerate(np.nditer(x.reshape(2, 2).T))],
    "nditer backwards": lambda x: [k * t for k, t in enumerate(np.nditer(x[::-1]))],
    "nditer that writes": _doubled,
    "nditer by hand": _while,
    "nditer of lists": lambda x: [a * b for a, b in np.nditer([x, x[0]])],
    "ndenumerate": lambda x: [i[0] * t for i, t in np.ndenumerate(x)],
    "ndindex": lambda x: [x.reshape(2, 2)[i] * i[1] for i in np.ndindex(2, 2)],
    "fromiter": lambda x: np.fromiter((t * t for t in x), float),
    "zip": lambda x: [a * b for a, b in zip(x, x[::-1], strict=True)],
    "enumerate": lambda x: [k * t for k, t in enumerate(x)],
    "reversed": lambda x: list(reversed(x)),
    "sum": lambda x: sum(x) * sum([x[0], x[1]], start=1.0) * x,
    "max and min": lambda x: max(x) * min(x[0], 0.9) * max([x[1], x[2]], key=lambda t: -t) * x,
    "sorted": lambda x: sorted(x, key=lambda t: -t),
    "any and all": lambda x: x * (2.0 if any(x > 2.0) and all(t > 0 for t in x) else 3.0),
    "iter and next": lambda x: next(iter(x)) * x,
    "unpacking": lambda x: [x[0] * rest[-1] for _, *rest in [x]] * 2,
    "dict": lambda x: (lambda d: d["a"] * d["b"])(dict(zip("ab", x, strict=False))) * x,
    "match": lambda x: _matched(x),
}


def _matched(x: Any) -> Any:
    match [x[0], "scaled"]:
        case [float(v), "scaled"] if v > 0:
            return x * v
        case _:
            return x


LISTS: dict[str, Callable[[Any], Any]] = {
    "ufuncs of mixed lists": lambda x: np.exp([x[0], 1.0]),
    "array of rows": lambda x: np.array([[x[0], 1.0], [2, x[1]]]) @ x[:2],
    "array of arrays": lambda x: np.array([x, np.ones(4), x[::-1] * 2.0]),
    "block": lambda x: np.block([[x[:2].reshape(1, 2), np.ones((1, 1))], [np.zeros((1, 3))]]),
    "sum of a list": lambda x: np.sum([x[0], 2.0, x[1]]) * x,
    "mean of a list": lambda x: np.mean([x[0], x[1]]) * x,
    "mean of rows": lambda x: np.mean([[x[0], x[1]], [1.0, x[2]]], axis=0),
    "dot of lists": lambda x: np.dot([x[0], x[1]], [x[2], x[3]]) * x,
    "exponential of a list": lambda x: np.exp([x[0], x[1]]),
    "norm of a list": lambda x: np.linalg.norm([x[0], x[1], 1.0]) * x,
    "where of lists": lambda x: np.where([True, False], [x[0], 1.0], [0.0, x[1]]),
    "max of a list": lambda x: np.max([x[0], x[1], 0.9]) * x,
    "cross of lists": lambda x: np.cross([x[0], x[1], 1.0], [x[2], 2.0, x[3]]),
    "array times list": lambda x: np.arange(1.0, 3.0) * [x[0], x[1]],
    "list times array": lambda x: [x[0], x[1]] * x[2:],
    "objects": lambda x: _numbers(np.array([x[0], x[1]], dtype=object) * 2.0 + x[2]),
    "sum of objects": lambda x: np.array([x[0], x[1], 1.0], dtype=object).sum() * x,
    "objects times matrix": lambda x: _numbers(np.array([x[0], x[1]], dtype=object) @ np.ones((2, 3))),
    "a buffer of objects": lambda x: _numbers(_objects(x)),
    "objects with arrays": lambda x: _numbers(np.array([x[0], x[1]], dtype=object) * x[2:]),
    "objects joined": lambda x: _numbers(np.concatenate([np.array([x[0], x[1]], dtype=object), x])),
    "objects written": lambda x: _written(np.zeros(2), np.array([x[0], 3.0], dtype=object)),
    "tuple as result": lambda x: [x[0] * x[1], 2.0, x[2]],
    "rows as result": lambda x: [[x[0], x[1]], [1.0, x[2]]],
}


def _numbers(objects: Any) -> Any:
    return np.array(objects.tolist())


def _objects(x: Any) -> Any:
    y = np.empty(3, dtype=object)
    y[0], y[1], y[2] = x[0], x[1] * x[0], 1.0
    return y * x[2]


def _written(y: Any, values: Any) -> Any:
    y[:] = values
    return y


MATH: dict[str, Callable[[Any], Any]] = {
    "erf": lambda x: [math.erf(t) for t in x],
    "erfc": lambda x: [math.erfc(t) for t in x],
    "gamma": lambda x: [math.gamma(t) for t in x],
    "lgamma": lambda x: [math.lgamma(t) for t in x],
    "fmod": lambda x: [math.fmod(t, 0.45) for t in x] + [math.fmod(-5.0, x[2])],
    "modf": lambda x: [math.modf(t)[0] for t in x] + [math.modf(x[2])[1]],
    "frexp": lambda x: [math.frexp(t)[0] * math.frexp(t)[1] for t in x],
    "ldexp": lambda x: [math.ldexp(t, k - 2) for k, t in enumerate(x)],
    "fsum": lambda x: math.fsum(x) * math.fsum([x[0], 2.0]) * math.fsum(t * t for t in x) * x,
    "prod": lambda x: math.prod(x) * math.prod([x[0], 2.0], start=3) * x,
    "hypot": lambda x: math.hypot(x[0], x[1], x[2]) * math.hypot(x[3]) * x,
    "isclose": lambda x: x if math.isclose(x[0], 0.9, abs_tol=0.3) else 2.0 * x,
    "is not close": lambda x: x if math.isclose(x[0], x[1], rel_tol=0.1) else 2.0 * x,
    "dist": lambda x: math.dist(x[:2], x[2:]) * math.dist([x[0], 1.0], (2.0, x[1])) * x,
    "remainder": lambda x: [math.remainder(t, 0.45) for t in x] + [math.remainder(9.0, x[2])],
    "comb": lambda x: math.comb(5, int(x[2])) * math.factorial(math.floor(x[2])) * x,
    "pow": lambda x: [math.pow(x[0], 2.5), math.pow(2.0, x[1]), pow(x[2], 3)],
    "logarithms": lambda x: [math.log(x[0], 2), math.log(3.0, x[1]), math.log10(x[2]), math.log2(x[3])],
    "more": lambda x: [math.cbrt(x[0]), math.exp2(x[1]), math.degrees(x[2]), math.atan2(x[3], x[0])],
    "complex root": lambda x: abs(cmath.sqrt(x[0] + 1j * x[1])) * x,
    "complex exponential": lambda x: (cmath.exp(1j * x[0]) * cmath.exp(x[1])).imag * x,
    "complex logarithm": lambda x: cmath.log(x[0] - 2j).imag * cmath.log(x[1] + 1j, 2).real * x,
    "phase": lambda x: cmath.phase(x[0] + 1j * x[1]) * x,
    "polar": lambda x: np.array(cmath.polar(x[0] + 1j * x[1])),
    "rect": lambda x: cmath.rect(x[0], x[1]).imag * cmath.rect(2.0, x[2]).real * x,
}

ALL = {**CALLING, **ITERATING, **LISTS, **MATH}


@pytest.mark.parametrize("name", ALL)
def test_followed(name: str) -> None:
    check(ALL[name], X)


def test_objects_as_result() -> None:
    value, J = value_and_jacobian(lambda x: np.array([x[0], x[1] * x[0], 2.0], dtype=object), X)
    np.testing.assert_array_equal(value, [X[0], X[1] * X[0], 2.0])
    np.testing.assert_array_equal(J.toarray(), [[1.0, 0.0, 0.0, 0.0], [X[1], X[0], 0.0, 0.0], [0.0] * 4])


@pytest.mark.parametrize("name", ["vectorize", "map", "nditer", "frompyfunc", "match", "modf"])
def test_plans(name: str) -> None:
    check(ALL[name], X, X[::-1] * 1.1)


def guarded(x: Any) -> Any:
    """Fall back where the root is not real."""
    try:
        return math.sqrt(x[0]) * x
    except ValueError:
        return 3.0 * x


def guarded_overflow(x: Any) -> Any:
    try:
        return math.exp(2000.0 * x[0]) * x
    except OverflowError:
        return x * x


def guarded_outside(x: Any) -> Any:
    """A helper without a handler of its own."""

    def root(t: Any) -> Any:
        return math.sqrt(t)

    try:
        return [root(t) for t in x]
    except ValueError:
        return x * x


@pytest.mark.parametrize("f", [guarded, guarded_overflow, guarded_outside])
@pytest.mark.parametrize("x", [X, NEGATIVE])
def test_caught_errors_of_math(f: Callable[[Any], Any], x: Any) -> None:
    check(f, x)


@pytest.mark.parametrize("f", [guarded, guarded_overflow])
def test_caught_errors_are_decisions(f: Callable[[Any], Any]) -> None:
    """A plan goes the other way where the error comes."""
    check(f, NEGATIVE, X)
    check(f, X, NEGATIVE)


DOMAINS: dict[str, Callable[[Any], Any]] = {
    "root": lambda x: math.sqrt(x[0]) * x,
    "logarithm": lambda x: math.log(x[0]) * x,
    "logarithm of zero": lambda x: math.log(x[0] - x[0]) * x,
    "exponential": lambda x: math.exp(-2000.0 * x[0]) * x,
    "arcsine": lambda x: math.asin(x[0] * 9.0) * x,
    "power": lambda x: math.pow(x[0], 0.5) * x,
    "remainder": lambda x: math.fmod(x[0], x[0] - x[0]) * x,
    "in the middle": lambda x: np.where(x > 0, x, math.sqrt(x[0]) * 0.0),
    "nan decides": lambda x: x * int(math.sqrt(x[0])),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_errors_of_math(name: str) -> None:
    f = DOMAINS[name]
    with pytest.raises((ValueError, OverflowError)) as expected:
        f(NEGATIVE)
    for call in (sparse_jacobian, prepare):
        with pytest.raises(type(expected.value)) as found:
            call(f, NEGATIVE)
        assert str(found.value).split(",")[0] == str(expected.value).split(",")[0]


def test_nan_is_passed_on() -> None:
    """NaN in, NaN out: no error of Python's."""
    x = np.array([np.nan, np.inf, 1.0, 2.0])
    found = sparse_jacobian(lambda x: [math.sqrt(x[0]), math.exp(x[1]), math.log(x[2])], x).toarray()
    assert np.isnan(found[0, 0])
    assert found[2, 2] == 1.0


def test_text(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Printing shows numbers and changes nothing."""

    def f(x: Any) -> Any:
        print(f"{x[0]:.3f} {x} {x[1]!r}", x[2], "%s" % x[3], "{:.1e}".format(x[0]))  # noqa: UP031, UP032
        print("%g %8.3f, %d%%" % (x[0] / 3.0, np.sum(x, keepdims=True)[0], 5), "%(b).2e" % {"b": x[1]})  # noqa: UP031
        logging.getLogger("f").warning("x is %s, first %s, %g, sum %.3e", x, x[0], x[1], x.sum())
        return x * 2.0

    check(f, X)
    f(X)
    first, second, *_, before, last = capsys.readouterr().out.splitlines()
    assert (first, second) == (before, last)
    lines = caplog.text.splitlines()
    assert lines[0] == lines[-1]


def read_back(x: Any) -> Any:
    """Logging may format values of x, but what it wrote must not come back as numbers."""
    record = logging.LogRecord("f", logging.INFO, "", 1, "step 1 of %d: %8.3f", (7, x[0] * 1.2345), None)
    return float(record.getMessage().split()[-1]) * x


NOT_SHOWN: dict[str, Callable[[Any], Any]] = {
    "read": lambda x: float("%.2f" % x[0]) * x,  # noqa: UP031
    "read, in a list": lambda x: np.array(("%g %g" % (x[0] / 3.0, x[1])).split(), dtype=float)[0] * x,  # noqa: UP031
    "read by another": lambda x: json.loads("[%f]" % x[0])[0] * x,  # noqa: UP031
    "a key": lambda x: {"%.0f" % x[0]: x * 2.0}["2"],  # noqa: UP031
    "a branch": lambda x: x * 2.0 if ("%+.1f" % x[0])[0] == "-" else x,  # noqa: UP031
    "written to a file": lambda x: x * len(written("%g" % x[0])),  # noqa: UP031
    "on the way to print": lambda x: print(k := "%+.1f" % x[0]) or (x if k[0] == "-" else 2.0 * x),  # noqa: UP031
    "by a call in print": lambda x: print(written("%g" % x[0])) or x,  # noqa: UP031
    "later": lambda x: print(lambda: "%g" % x[0]) or x * len((lambda: "%g" % x[0])()),  # noqa: UP031
    "by a print of f's own": lambda x, print=str.upper: x * len(print("%g" % x[0])),  # noqa: UP031
}


def written(text: str) -> str:
    """What is read from a file after it was written there."""
    file = io.StringIO()
    print(text, file=file)
    return file.getvalue()


@pytest.mark.parametrize("name", NOT_SHOWN)
def test_text_of_the_operator_is_for_people(name: str) -> None:
    with pytest.raises(UntraceableError, match="by %"):
        sparse_jacobian(NOT_SHOWN[name], X)


def test_print_to_a_file_is_not_to_people() -> None:
    file = io.StringIO()

    def f(x: Any) -> Any:
        print("%g" % x[0], file=file)  # noqa: UP031
        return x * len(file.getvalue())

    with pytest.raises(UntraceableError, match="by %"):
        sparse_jacobian(f, X)


def test_what_was_kept_for_people_is_not_read() -> None:
    """Other numbers are, and those that were only printed: nobody can have read them there."""

    def f(x: Any, number: str) -> Any:
        print("first " + "%.3f" % (x[0] / 3.0))
        warnings.warn("second %e" % x[1], stacklevel=1)  # noqa: UP031
        assert x[0] > 0.0, "third %g" % x[2]  # noqa: UP031
        return float(number) * x**2

    def logs(x: Any, number: str) -> Any:
        logging.getLogger("f").warning("first %.3f", x[0] / 3.0)
        return f(x, number)

    printed, warned = f"{X[0] / 3.0:.3f}", f"{X[1]:.2e}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in ("7.25e1", printed, warned):
            check(lambda x, number=number: f(x, number), X)
        check(lambda x: logs(x, "7.25e1"), X)
        with pytest.raises(UntraceableError, match="the text"):
            sparse_jacobian(logs, X, printed)
        with redirect_stdout(io.StringIO()), pytest.raises(UntraceableError, match="the text"):
            sparse_jacobian(f, X, printed)


def test_text_in_a_case() -> None:
    def f(x: Any) -> Any:
        match len(x):
            case 4:
                print("four: " + "%g" % x[0])  # noqa: UP031
        return x**2

    check(f, X)


def test_text_of_an_error() -> None:
    def f(x: Any) -> Any:
        try:
            if x[0] > 0.0:
                raise ValueError("positive: %g" % x[0])  # noqa: UP031
        except ValueError:
            return x**2
        return x

    check(f, X)


def test_logging_of_an_array_as_a_float(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging reports the mistake, as it does for NumPy's arrays, and f goes on."""
    mistakes: list[Any] = []
    handler, log = logging.StreamHandler(), logging.Logger("f")
    monkeypatch.setattr(handler, "handleError", lambda record: mistakes.append(record.msg))
    log.addHandler(handler)

    def f(x: Any) -> Any:
        log.warning("%f", x)
        return x**2

    check(f, X)
    assert set(mistakes) == {"%f"}


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bits of a float": (lambda x: math.ulp(x[0]) * x, "ulp"),
    "next float": (lambda x: math.nextafter(x[0], 2.0) * x, "nextafter"),
    "nditer with a buffer": (lambda x: next(iter(np.nditer(x, flags=["external_loop"]))), "nditer"),
    "nditer that allocates": (lambda x: np.nditer([x, None]).operands[1], "nditer"),
    "objects as floats": (lambda x: np.array([x[0], x[1]], dtype=object).astype(float) * x[0], "float"),
    "a method as f": (np.eye(3, 4).dot, r"ndarray.dot as f: (.|\n)*test_python_around.py(.|\n)*lambda x: A.dot\(x\)"),
    "a message of logging that is read back": (read_back, "read from the text"),
    "a type as f": (np.float64, r"numpy.float64 as f"),
    "text in a list": (lambda x: np.array([x[0], "a"]), "text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    f, words = REFUSED[name]
    with pytest.raises(UntraceableError, match=words):
        sparse_jacobian(f, X)
