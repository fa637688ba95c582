"""Corners of NumPy's calling conventions where a derivative could get lost: keywords, out=, dtype=, shared memory."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from oracles import Array, differences

X = np.array([0.75, 1.5, -0.625, 2.25])
CAPTURED = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


Programs = dict[str, Callable[[Any], Any]]


def filled(write: Callable[[Any, Any], Any], *shape: int, dtype: Any = float) -> Callable[[Any], Any]:
    """An f that lets `write(x, y)` fill a buffer y."""

    def f(x: Any) -> Any:
        y = np.zeros(shape, dtype)
        write(x, y)
        return y * 1.0 if y.dtype.kind == "f" else np.concatenate([y.real, y.imag])

    return f


def put(buffer: Any, key: Any, value: Any) -> Any:
    """The buffer after an assignment."""
    buffer[key] = value
    return buffer


KEYWORDS: Programs = {
    "roll": lambda x: np.roll(a=x, shift=1),
    "repeat": lambda x: np.repeat(a=x, repeats=2),
    "tile": lambda x: np.tile(A=x, reps=(2, 1)),
    "insert": lambda x: np.insert(np.ones(3), 1, values=x[:2]),
    "append": lambda x: np.append(np.ones(2), values=x),
    "stack": lambda x: np.stack(arrays=[x, x * 2.0], axis=1),
    "flip": lambda x: np.flip(m=x),
    "diag": lambda x: np.diag(v=x, k=1),
    "compress": lambda x: np.compress([True, False, True, True], x),
    "x.compress": lambda x: (x**2).compress([False, True]),
    "compress by a traced mask": lambda x: np.compress(x > 0, x),
    "delete by a traced mask": lambda x: np.delete(x, x < 0),
    "concatenate as complex": lambda x: np.concatenate([x, x * 1j], dtype=complex).imag,
    "sqrt as complex": lambda x: np.sqrt(x, dtype=complex).imag,
}

OUT: Programs = {
    "concatenate": filled(lambda x, y: np.concatenate([x[2:], x[:2]], out=y), 4),
    "stack": filled(lambda x, y: np.stack([x[:2], x[2:]], out=y), 2, 2),
    "take": filled(lambda x, y: np.take(x, [0, 1, 1], out=y), 3),
    "dot": filled(lambda x, y: np.dot(CAPTURED, x[1:], out=y), 2),
    "x.dot": filled(lambda x, y: x[:2].dot(CAPTURED, out=y), 3),
    "matmul": filled(lambda x, y: np.matmul(CAPTURED, x[1:], out=y), 2),
    "outer": filled(lambda x, y: np.outer(x[:2], x[1:], out=y), 2, 3),
    "einsum": filled(lambda x, y: np.einsum("i,i->i", x, x, out=y), 4),
    "mean": filled(lambda x, y: np.mean(x.reshape(2, 2), axis=0, out=y[1:]), 3),
    "std": filled(lambda x, y: np.std(x.reshape(2, 2), axis=0, out=y[1:]), 3),
    "ptp": filled(lambda x, y: np.ptp(x.reshape(2, 2), axis=0, out=y[1:]), 3),
    "trace": filled(lambda x, y: np.trace(x.reshape(2, 2), out=y[1, ...]), 2),
    "clip": filled(lambda x, y: x.clip(0.0, 1.0, out=y), 4),
    "a ufunc's third argument": filled(lambda x, y: np.add(x, x, y), 4),
    "a ufunc's view": filled(lambda x, y: np.add(x[1:], x[:3], out=y[1:]), 4),
    "a ufunc's out= with where=": filled(lambda x, y: np.multiply(x, 2.0, where=x > 0, out=y), 4),
    "nan_to_num in place": filled(
        lambda x, y: np.nan_to_num(put(y, slice(None), x * [1, 1, np.nan, 1]), copy=False), 4
    ),
}

MEMORY: Programs = {
    "flat of a transposed view": filled(lambda x, y: put(y.T.flat, 1, x[0]), 2, 3),
    "flat by several indices": filled(lambda x, y: put(y.T.flat, [1, 4, 1], x[1:]), 2, 3),
    "flat of a contiguous array": filled(lambda x, y: put(y.flat, slice(1, 3), x[2:]), 2, 2),
    "flat =": filled(lambda x, y: setattr(y.T, "flat", x), 2, 2),
    "flat = repeats": filled(lambda x, y: setattr(y, "flat", x[:2]), 3, 2),
    "part of a complex buffer": filled(lambda x, y: put(y.real, slice(1, 3), x[2:]), 4, dtype=complex),
    "parts of a complex buffer": filled(lambda x, y: (put(y.imag, 2, x[0]), put(y.real, 1, x[1])), 3, dtype=complex),
    "np.real of a complex buffer": filled(lambda x, y: put(np.real(y), slice(1, 3), x[2:]), 4, dtype=complex),
    "one part plain": filled(lambda x, y: (put(y.real, ..., x), put(y, 1, y[1] + y.imag[1] + 2j)), 4, dtype=complex),
    "swapaxes of a plain buffer": filled(lambda x, y: put(np.swapaxes(y, 0, 1), 0, x[:2]), 2, 3),
    "pieces of a plain buffer": filled(lambda x, y: put(np.split(y, 2)[1], 0, x[0]), 4),
    "shape =": filled(lambda x, y: (setattr(y, "shape", (2, 2)), put(y, (0, 1), x[0])), 4),
}

CONSTRUCTED: Programs = {
    "copy": lambda x: put(np.copy(CAPTURED), (1, 0), x[0]),
    "eye": lambda x: put(np.eye(2, 3), (0, 1), x[0]),
    "identity": lambda x: put(np.identity(2), 1, x[:2]),
    "eye times": lambda x: np.eye(3, 4).dot(x),
    "zeros_like": lambda x: put(np.zeros_like(CAPTURED), 0, x[1:]),
    "empty_like": lambda x: put(np.empty_like(X), slice(None), x**2),
    "full_like": lambda x: np.full_like(CAPTURED, x[1]),
    "full_like with dtype": lambda x: np.full_like(np.ones(2, dtype=int), fill_value=x[1], dtype=float),
    "zeros_like of a list": lambda x: put(np.zeros_like([x[0], 1.0]), 1, x[1]),
    "fromiter": lambda x: np.fromiter((v * v for v in x), dtype=float),
    "fromiter with count": lambda x: np.fromiter(iter(x), float, 2),
    "fromiter of numbers": lambda x: put(np.fromiter(range(3), float), 1, x[0]),
    "ndenumerate": lambda x: np.array([v * i[0] for i, v in np.ndenumerate(x)]),
    "ndenumerate of a table": lambda x: np.array([v * x[i[1]] for i, v in np.ndenumerate(CAPTURED)]),
    "ndindex": lambda x: np.array([x[i] for i in np.ndindex(x.shape)]),
    "integers keep their digits": lambda x: x * float(np.array([2**60 + 1])[0] - 2**60),
}

REFUSED: Programs = {
    "hash": lambda x: {x[0]: x[1]}[x[0]],
    "fraction": lambda x: float(Fraction(x[0])),
    "hex": lambda x: float.fromhex(x[0].hex()),
    "sum as integers": lambda x: np.sum(x, dtype=int) * x,
    "mean as integers": lambda x: np.mean(x, dtype=int) * x,
    "full of integers": lambda x: np.full(3, x[1], dtype=int) * x[0],
    "complex of single precision": filled(lambda x, y: put(y, slice(None), x), 4, dtype=np.complex64),
    "where= without out=": lambda x: np.multiply(x, 2.0, where=[True] * 4),
    "axes= of matmul": lambda x: np.matmul(np.ones((2, 3, 4)), x.reshape(1, 4, 1), axes=[(0, 2), (1, 2), (0, 1)]),
    "a number as an option": lambda x: np.full(x[:2], 1.0) * x[0],
}


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in (KEYWORDS | OUT | MEMORY | CONSTRUCTED).items()])
def test_right(f: Callable[[Any], Any]) -> None:
    expected = differences(f, X)
    found = sparsejac.sparse_jacobian(f, X).toarray()
    assert np.abs(expected.jacobian).sum() > 0.1
    np.testing.assert_allclose(found, expected.jacobian, atol=1e-7)


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in REFUSED.items()])
def test_refused(f: Callable[[Any], Any]) -> None:
    with pytest.raises(sparsejac.UntraceableError) as caught:
        sparsejac.sparse_jacobian(f, X)
    assert Path(__file__).name in str(caught.value)
    assert "Cure: " in str(caught.value)


def test_memory_that_a_sparse_matrix_shares_is_not_written_behind_its_back() -> None:
    def f(x: Array) -> Any:
        data = np.ones(2)
        matrix = sp.csr_array((data, [0, 1], [0, 1, 2]), shape=(2, 2))
        data[0] = x[0]
        return matrix @ x[:2]

    with pytest.raises(sparsejac.UntraceableError, match="other code shares"):
        sparsejac.sparse_jacobian(f, X)


def test_memory_that_nobody_shares_any_more_may_be_written() -> None:
    def f(x: Array) -> Any:
        data = np.ones(2)
        total = sp.csr_array((data, [0, 1], [0, 1, 2]), shape=(2, 2)).sum()
        data[0] = x[0] * total
        return data * 1.0

    np.testing.assert_array_equal(sparsejac.sparse_jacobian(f, X).toarray(), [[2.0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("f", "error"),
    [
        (lambda x: put((x * 1.0).imag, 0, 1.0), ValueError),
        (lambda x: setattr(x * 1.0, "imag", 1.0), TypeError),
        (lambda x: setattr(put(np.zeros((2, 2)), 0, x[:2]).T, "shape", (4,)), AttributeError),
        (lambda x: x.itemset(0, 1.0), AttributeError),
        (lambda x: put(np.broadcast_to(x[0:1], 3), 0, x[1]), ValueError),
        (lambda x: int(x), TypeError),
        (lambda x: np.bincount([0, -1], weights=x[:2]), ValueError),
        (lambda x: np.bincount([0, 1, 1], weights=x[:1]), ValueError),
        (lambda x: np.bincount([0, 1, 1], weights=x[:2]), ValueError),
        (lambda x: np.bincount([[0, 1]], weights=x[:2]), ValueError),
    ],
)
def test_errors_are_those_of_numpy(f: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        f(X.copy())
    with pytest.raises(error):
        sparsejac.sparse_jacobian(f, X)


def test_values_of_two_traces_are_not_mixed() -> None:
    kept: list[Any] = []

    def f(x: Array) -> Any:
        kept.append(x[0])
        return x * kept[0]

    sparsejac.sparse_jacobian(f, X)
    with pytest.raises(sparsejac.UntraceableError, match="after f had returned"):
        sparsejac.sparse_jacobian(f, X)


def test_plain_scalars_keep_their_type() -> None:
    seen: list[Any] = []

    def f(x: Array) -> Any:
        seen.extend([np.array([1, 2])[1], np.array([[True]])[0, 0], np.zeros(2, complex)[0]])
        return x

    sparsejac.sparse_jacobian(f, X)
    assert [type(number) for number in seen] == [np.int64, np.bool_, np.complex128]


def test_an_array_that_is_read_twice_is_one_constant() -> None:
    """Unless it was changed in between, or is another view of the memory."""
    c = np.linspace(0.0, 1.0, 100)
    c[3] = np.nan

    def count(f: Any) -> int:
        return len(sparsejac.prepare(f, np.ones(100))._variants.first.traced.constants)

    def changing(x: Any) -> Any:
        own = c.copy()
        y = own * x
        own[5] += 1.0
        return y + own

    assert count(lambda x: c * np.sin(x) + c * x) == 1
    assert count(lambda x: c * np.sin(x) + c[::-1] * x) == 2
    assert count(lambda x: c * np.sin(x) + c.copy() * x) == 2
    assert count(changing) == 2
    x = np.linspace(0.5, 1.0, 100)
    finite = np.arange(100) != 3
    np.testing.assert_array_equal(sparsejac.prepare(changing, x)(x).diagonal()[finite], c[finite])
