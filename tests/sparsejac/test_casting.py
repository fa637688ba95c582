"""Numbers in other dtypes: rounded with their derivative, or integers where no derivative is lost."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from dense_checks import check
from oracles import Array
from sparsejac import UntraceableError, prepare, sparse_jacobian, stop_gradient, value_and_jacobian

X = np.array([0.7, -1.3, 2.1, 0.4, 1.7])
TABLE = np.array([1.0, 5.0, 7.0, 8.0, -2.0])

INTEGERS: dict[str, Callable[[Any], Any]] = {
    "a table by rounded numbers": lambda x: x * TABLE[np.floor(x + 2.0).astype(int)],
    "a place in the table": lambda x: TABLE[np.trunc(x).astype(np.int32)] * x[::-1],
    "arithmetic of integers": lambda x: x * ((np.floor(3.0 * x).astype(int) // 2) % 3),
    "integers and nothing": lambda x: x * ((x > 0).astype(int) + np.array([0, 1, 0, 2, 3])),
    "division of integers": lambda x: x * (np.ceil(x).astype(int) / 2),
    "masks as integers": lambda x: x * ((x > 0).astype(int) + 1),
    "masks as small integers": lambda x: x * ((x > 0).astype(np.uint8) - 1),
    "division by no mask": lambda x: (
        x * (np.array([4, 5, 6, 7, 8]) // (x > 0)[::-1].astype(int)).sum() if (x > 0).all() else x
    ),
    "division by nothing": lambda x: x * _quotients(np.array([4, 5, 6, 7, 8]), (x > 0).astype(int)),
    "counts as numbers": lambda x: x * (x > 0).sum() / 2,
    "counts as ends": lambda x: x[: (x > 0).sum()] * 2.0,
    "counts divided": lambda x: x * ((x > 0).sum() // 3),
    "count_nonzero as an index": lambda x: x * x[np.count_nonzero(x > 0)],
    "an integer buffer": lambda x: _filled(np.zeros(5, int), np.floor(x)) * x,
    "a place of an integer buffer": lambda x: _filled(np.zeros(5, int), np.rint(x[0]), 2) * x,
    "a stopped value": lambda x: x * TABLE[stop_gradient(x[0:1]).astype(int)],
    "array of integers": lambda x: np.array([np.floor(x[0]), 2.0, np.ceil(x[2])], dtype=int) * x[:3],
    "fromiter of integers": lambda x: np.fromiter((np.floor(v) for v in x), dtype=int) * x,
    "math.floor": lambda x: x * math.floor(x[2]) + x[math.floor(x[2])],
    "math.ceil": lambda x: x * (math.ceil(x[2]) // 2),
    "math.trunc": lambda x: sum(x[k] for k in range(math.trunc(x[2]))) * x[1],
    "int": lambda x: x * int(x[2]) + x[int(x[4])],
    "int of a negative number": lambda x: x * int(x[1]),
    "round": lambda x: x * round(x[2]) + round(x[0]),
    "round to digits": lambda x: x * round(x[2], 1),
    "divmod": lambda x: divmod(x[2], x[0])[0] * x + divmod(x[2], 0.9)[1],
    "divmod from the right": lambda x: np.array(divmod(5.0, x[2])),
    "divmod of arrays": lambda x: np.concatenate(divmod(x, 0.45)),
}


def _quotients(a: Any, b: Any) -> Any:
    """Quotients of integers: none is infinite."""
    with np.errstate(divide="ignore"):
        return a // b


def _filled(buffer: Any, value: Any, key: Any = slice(None)) -> Any:
    buffer[key] = value
    return buffer


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name: str) -> None:
    check(INTEGERS[name], X)


SINGLE: dict[str, Callable[[Any], Any]] = {
    "astype": lambda x: x.astype(np.float32),
    "half precision": lambda x: x.astype(np.float16) * 1.5,
    "arithmetic": lambda x: x.astype("f4") * np.float32(1.1) + 3.3,
    "with single constants": lambda x: x.astype(np.float32) * np.linspace(0.1, 1.0, 5, dtype=np.float32),
    "with double constants": lambda x: x.astype(np.float32) * np.linspace(0.1, 1.0, 5),
    "root": lambda x: np.sqrt(np.abs(x.astype(np.float32))),
    "a buffer": lambda x: _filled(np.zeros(5, np.float32), x * x),
    "a place of a buffer": lambda x: _filled(np.zeros(5, np.float32), x[1], 3),
    "added to a buffer": lambda x: _added(np.full(5, 0.1, np.float32), x),
    "array": lambda x: np.array([x[0], 0.1, x[1]], dtype=np.float32),
    "asarray": lambda x: np.asarray(x, dtype=np.float32),
    "one number": lambda x: x.astype(np.float32)[1] * 2,
    "concatenation": lambda x: np.concatenate([x.astype(np.float32), np.ones(2, np.float32)]),
    "where": lambda x: np.where(x > 0, x.astype(np.float32), 0.1),
    "reshaped": lambda x: x.astype(np.float32).reshape(5, 1)[::2].T,
    "mask in half precision": lambda x: np.exp(x > 0) * x,
    "ufunc with dtype": lambda x: np.add(x, x, dtype=np.float32),
    "back": lambda x: x.astype(np.float32).astype(float) * x,
}


def _added(buffer: Any, value: Any) -> Any:
    buffer += value
    return buffer


@pytest.mark.parametrize("name", SINGLE)
def test_rounded_values(name: str) -> None:
    """The values are NumPy's to the last bit, and so is the dtype; the derivative ignores the rounding."""
    f = SINGLE[name]
    seen: list[Any] = []

    def watched(x: Any) -> Any:
        result = f(x)
        seen.append(result.dtype)
        return result

    value, J = value_and_jacobian(watched, X)
    expected = f(X.copy())
    assert seen == [expected.dtype]
    np.testing.assert_array_equal(np.asarray(value, dtype=float), np.asarray(expected, dtype=float))
    step = 2.0**-3  # so long that the rounding does not matter
    rows = []
    for k in range(5):
        moved = [X.copy(), X.copy()]
        moved[0][k] += step
        moved[1][k] -= step
        ahead, behind = (np.ravel(f(point)).astype(float) for point in moved)
        rows.append((ahead - behind) / (2 * step))
    np.testing.assert_allclose(J.toarray(), np.array(rows).T, rtol=2e-2, atol=5e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_reductions_of_rounded_numbers(dtype: Any) -> None:
    """Sums and their kin have the dtype of their operand, and its precision."""
    for reduce in (np.sum, np.mean, np.max, np.prod, np.linalg.norm):
        seen: list[Any] = []

        def f(x: Any, reduce: Any = reduce, seen: list[Any] = seen) -> Any:
            seen.append(reduce(x.astype(dtype)))
            return seen[-1].dtype == dtype and seen[-1]

        value, _ = value_and_jacobian(f, X)
        np.testing.assert_allclose(value, f(X), rtol=4 * np.finfo(dtype).eps)
        assert value == dtype(value)


def test_rounding_at_numbers_of_all_sizes() -> None:
    x = np.array([1e-8, 3.0517578e-05, 6.1e-05, 2049.0, 65519.0, 65520.0, -7e4, 1e39, 0.1, -0.0, 5e-324])

    def f(x: Any) -> Any:
        return np.concatenate([x.astype(np.float16).astype(float), x.astype(np.float32).astype(float)])

    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(value_and_jacobian(f, x)[0], f(x))


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "astype": (lambda x: x.astype(int) * x, "stop_gradient"),
    "an integer buffer": (lambda x: _filled(np.zeros(5, int), x) * x, "stop_gradient"),
    "a place of an integer buffer": (lambda x: _filled(np.zeros(5, int), x[0], 1) * x, "stop_gradient"),
    "array of integers": (lambda x: np.array([x[0], x[1]], dtype=int) * x[0], "stop_gradient"),
    "a remainder": (lambda x: (x % 1.0).astype(int) * x, "stop_gradient"),
    "a truth-value buffer": (lambda x: _filled(np.zeros(5, bool), x) * x, "bool"),
    "complex single precision": (lambda x: x.astype(np.complex64).real, "complex64"),
    "np.float64": (lambda x: np.float64(x[0]) * x, "float"),
    "pickling": (lambda x: pickle.loads(pickle.dumps(x)), "pickling"),
    "pickling of a number": (lambda x: pickle.loads(pickle.dumps(x[0])), "pickling"),
    "a key of a dict": (lambda x: {x[0]: 1.0}, "hash"),
    "% of text": (lambda x: (x, "%g" % x[0])[0], "formatting"),  # noqa: UP031
    "text and back": (lambda x: float(str(x[0])) * x, "text"),
    "text in pieces and back": (lambda x: float(f"a {x[0]}".split()[1]) * x, "text"),
    "text of an array and back": (lambda x: np.array(str(x)[1:-1].split()).astype(float) * x, "text"),
    "text evaluated": (lambda x: eval(repr(x[0].item())) * x, "text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    f, words = REFUSED[name]
    with pytest.raises(UntraceableError, match=words):
        sparse_jacobian(f, X)


def test_numpys_own_errors() -> None:
    """In place, NumPy does not make integers of floats."""

    def f(x: Any) -> Any:
        y = np.zeros(5, int)
        y += np.floor(x)
        return y * x

    for call in (f, lambda x: sparse_jacobian(f, x)):
        with pytest.raises(TypeError, match="same_kind"):
            call(X)


def test_integers_are_decisions() -> None:
    """A plan follows f anew where a rounded number came out otherwise."""

    def f(x: Any) -> Any:
        return x * TABLE[np.floor(x).astype(int)]

    plan = prepare(f, np.array([0.5, 1.5]))
    assert plan(np.array([0.9, 1.1])).toarray().tolist() == [[1.0, 0.0], [0.0, 5.0]]
    assert plan.num_variants == 1
    assert plan(np.array([2.5, 1.1])).toarray().tolist() == [[7.0, 0.0], [0.0, 5.0]]
    assert plan.num_variants == 2


def test_counts_are_none_until_asked() -> None:
    """Masks and what is counted of them are followed, so that one plan holds for all x."""
    plan = prepare(lambda x: x * (x > 0).sum(), np.array([0.5, 1.5]))
    assert plan(np.array([0.5, -1.5])).toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert plan.num_variants == 1


class TestStopGradient:
    """sparsejac.stop_gradient."""

    def test_value_and_pattern(self) -> None:
        J = sparse_jacobian(lambda x: stop_gradient(x)[::-1] * x, X)
        np.testing.assert_array_equal(J.toarray(), np.diag(X[::-1]))
        assert J.nnz == 5

    def test_follows_x_in_plans(self) -> None:
        plan = prepare(lambda x: stop_gradient(np.sin(x)) * x, X)
        np.testing.assert_allclose(plan(X + 1.0).toarray(), np.diag(np.sin(X + 1.0)), rtol=1e-14)

    def test_outside_is_identity(self) -> None:
        for plain in (X, 1.5, [1.0, 2.0], {"a": X}, None):
            assert stop_gradient(plain) is plain

    def test_containers(self) -> None:
        def f(x: Array) -> Any:
            held = stop_gradient({"a": [x[0], 2.0], "b": (x[1:3],)})
            return x[0] * held["a"][0] + held["b"][0] * held["a"][1] + x[1:3]

        expected = np.zeros((2, 5))
        expected[:, 0] = X[0]
        expected[0, 1] = expected[1, 2] = 1.0
        np.testing.assert_array_equal(sparse_jacobian(f, X).toarray(), expected)

    def test_scalars_stay_scalars(self) -> None:
        assert sparse_jacobian(lambda x: x * (1.0 if stop_gradient(x[0]) > 0 else 2.0), X).nnz == 5
        assert sparse_jacobian(lambda x: x * stop_gradient(x[0]), X).nnz == 5


CONVERTED: dict[str, Callable[[Any], Any]] = {
    "float": lambda x: float(x[0]) * x,
    "map float": lambda x: [v * v for v in map(float, x)],
    "float of a 0-d array": lambda x: float(np.sum(x)) * x,
    "float of plain numbers": lambda x: x * float("1.5") * float(3) * float(np.float64(2.0)),
    "float of single precision": lambda x: float(x.astype(np.float64)[0]) * x,
    "isinstance": lambda x: x * (2.0 if isinstance(x[0], float) and isinstance(1.5, float) else 3.0),
    "not isinstance": lambda x: x * (2.0 if isinstance(1, float) or isinstance("1", (float, complex)) else 3.0),
    "issubclass": lambda x: x * (2.0 if issubclass(np.float64, float) else 3.0),
    "dtype=float": lambda x: np.zeros(5, dtype=float) + np.asarray(x, dtype=float) + x.astype(float),
    "float as a key": lambda x: x * {float: 2.0, int: 3.0}[float],
    "types compared": lambda x: x * (2.0 if float == float else 3.0),  # noqa: E721
    "float.fromhex": lambda x: x * float.fromhex("0x1.8p+1"),
    "float as an argument": lambda x: np.array([_applied(float, v) for v in x]),
    "complex": lambda x: abs(complex(x[0], x[1])) * x,
    "complex of one": lambda x: (complex(x[0]) * 1j).imag * x,
    "complex of plain numbers": lambda x: (complex(1.0, 2.0) * complex("1j") * x).real,
    "complex of complex numbers": lambda x: abs(complex(x[0] + 1j * x[1], 2.0)) * x,
    "item": lambda x: x[:1].item() * x + x.item(2),
    "tolist": lambda x: [v * v for row in x[:4].reshape(2, 2).tolist() for v in row],
    "copies": lambda x: copy.copy(x) * copy.deepcopy({"a": [x]})["a"][0] * copy.copy(x[0]),
}


def _applied(convert: Any, value: Any) -> Any:
    return convert(value)


@pytest.mark.parametrize("name", CONVERTED)
def test_conversions(name: str) -> None:
    check(CONVERTED[name], X)


def test_copies_are_copies() -> None:
    def f(x: Any) -> Any:
        y = copy.deepcopy(x)
        y[0] = 7.0
        return x * y

    check(f, X)


def test_where_types_are_compared_by_is_floats_are_refused() -> None:
    """The stand-in for float is not float itself: code that looks at this gets the original."""
    names = dict(globals())
    source = "def f(x):\n    t = type(1.5) is float\n    return x * float(x[0]) if t else x\n"
    exec(compile(source, "<written by a user>", "exec"), names)
    with pytest.raises(UntraceableError, match="float"):
        sparse_jacobian(names["f"], X)
    assert names["f"].__globals__.get("float") is None


def test_float_is_restored() -> None:
    before = dict(globals())
    sparse_jacobian(CONVERTED["float"], X)
    assert "float" not in globals()
    assert globals().keys() == before.keys()


def test_a_name_of_the_users_is_left_alone() -> None:
    """A module that has a float of its own keeps it."""
    names: dict[str, Any] = {"float": lambda v: v * 3.0}
    exec(compile("def f(x):\n    return x * float(2.0)\n", "<written by a user>", "exec"), names)
    np.testing.assert_array_equal(sparse_jacobian(names["f"], X).toarray(), 6.0 * np.eye(5))


def test_public() -> None:
    assert sparsejac.stop_gradient is stop_gradient
