"""Programs that were once followed wrongly, and silently: each against NumPy and differences, or refused."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse as sp

import sparsejac
from oracles import Array, differences, flat_value

X = np.array([0.77, 1.53, -0.61, 2.21, 0.33, 1.13])

Programs = dict[str, Callable[[Any], Any]]


def both(write: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """An f that gives a copy of x after `write(y)` and what it returned."""

    def f(x: Any) -> Any:
        y = x.reshape(2, 3) * 1.0
        part = write(y, x)
        return np.concatenate([y.ravel(), np.ravel(part) * 1.0])

    return f


def filled(write: Callable[[Any, Any], Any], *shape: int, **how: Any) -> Callable[[Any], Any]:
    """An f that lets `write(y, x)` fill a buffer y."""

    def f(x: Any) -> Any:
        y = np.zeros(shape, **how)
        write(y, x)
        return y.real * 1.0

    return f


def put(buffer: Any, key: Any, value: Any) -> Any:
    """The buffer after an assignment."""
    buffer[key] = value
    return buffer


def complex_of(x: Any) -> Any:
    """Three complex numbers."""
    return x[:3] + 1j * x[3:]


SHAPES: Programs = {
    "a number to the same powers": lambda x: x[0] ** np.array([2.0, 2.0, 2.0]),
    "a number to one power": lambda x: x[0] ** np.array([2.0]),
    "complex to the power zero": lambda x: (complex_of(x) ** 0).real * x[0],
    "complex times zero": lambda x: np.concatenate([(complex_of(x) * 0).real, x]),
    "zero times complex": lambda x: np.concatenate([(0j * x).imag, x]),
    "c_ of three axes": lambda x: np.c_[x.reshape(1, 3, 2), x.reshape(1, 3, 2)],
    "ascontiguousarray of a number": lambda x: np.ascontiguousarray(x[0]),
    "any of nothing": lambda x: x[:1, None] * np.any(x[:0] > 0, keepdims=True),
    "sum of a number along axis 0": lambda x: np.sum(x[0], axis=0) * x,
}

TRUTHS: Programs = {
    "maximum": lambda x: (np.maximum(x > 0, x < 1) + np.maximum(x > 1, x > 0)) * x,
    "absolute": lambda x: (np.abs(x > 0) + np.abs(x < 9)) * x,
    "floor": lambda x: (np.floor(x > 0) + np.floor(x < 9)) * x,
    "prod": lambda x: (np.prod(x < 9) + np.prod(x < 9)) * x,
    "a number written into a mask": lambda x: put(x > 0, 0, 5) * x,
    "numbers written into a mask": lambda x: put(x > 0, slice(0, 3), np.array([2.0, 0.0, 0.5])) * x,
    "a number written under a mask": lambda x: put(x > 0, x > 1, 2) * x,
    "counts in place": lambda x: np.add((x > 0).astype(int), 1) * x,
    "counts take whole numbers": lambda x: put((x > 0).astype(int), 0, 2.7) * x,
    "counts of counts": lambda x: put((x.reshape(2, 3) > 0).sum(axis=0), slice(0, 2), 4) * x[:3],
}

OUT: Programs = {
    "take": filled(lambda y, x: np.take(x, [0, 1], 0, y), 2),
    "x.take": filled(lambda y, x: x.take([0, 1], 0, y), 2),
    "concatenate": filled(lambda y, x: np.concatenate((x, x * 2.0), 0, y), 12),
    "compress": filled(lambda y, x: np.compress([1, 0, 1], x, 0, y), 2),
}

VIEWS: Programs = {
    "split": both(lambda y, x: put(np.split(y, 2)[1], slice(None), x[0])),
    "split read later": both(lambda y, x: (np.split(y, 2), y.__imul__(2.0))[0][1]),
    "array_split": both(lambda y, x: put(np.array_split(y[0], 2)[0], 1, x[5] * 2.0)),
    "hsplit": both(lambda y, x: put(np.hsplit(y, 3)[1], slice(None), 0.0)),
    "vsplit": both(lambda y, x: put(np.vsplit(y, 2)[1], slice(None), x[:3])),
    "diag": both(lambda y, x: (np.diag(y), put(y, (0, 0), x[3] * 2.0))[0]),
    "a part of flat": both(lambda y, x: put(y.flat[1:3], 0, 9.0)),
    "einsum of a diagonal": both(lambda y, x: put(np.einsum("ii->i", y[:, :2]), 0, x[5])),
    "meshgrid without copies": both(lambda y, x: (np.meshgrid(y[0], y[1], copy=False), put(y, 0, x[5]))[0][0]),
    "asarray with a copy": both(lambda y, x: put(np.asarray(y, copy=True), 0, 0.0)),
    "asarray in another order": both(lambda y, x: put(np.asarray(y, order="F"), 0, 0.0)),
    "ascontiguousarray": both(lambda y, x: put(np.ascontiguousarray(y.T), 0, 0.0)),
    "ascontiguousarray of a contiguous one": both(lambda y, x: put(np.ascontiguousarray(y), 0, 0.0)),
    "astype without a copy": both(lambda y, x: put(y.astype(float, copy=False), 0, 0.0)),
    "astype with a copy": both(lambda y, x: put(y.astype(float), 0, 0.0)),
    "astype of a plain array": filled(lambda y, x: put(y.astype(float, copy=False), 0, x[0]), 3),
    "conj of real numbers": both(lambda y, x: put(y.conj(), 0, 0.0)),
    "np.conj of real numbers": both(lambda y, x: put(np.conj(y), 0, 0.0)),
    "order F is kept": filled(lambda y, x: put(put(y, (0, 1), x[1]).reshape(-1), 0, x[0]), 2, 3, order="F"),
    "order F of zeros_like": both(lambda y, x: put(np.zeros_like(y.T).T.ravel(), slice(None), x)),
    "real numbers into complex ones": filled(lambda y, x: put(y, slice(None), x[:3]), 3, dtype=complex),
}

FUNCTIONS: Programs = {
    "math.hypot of three": lambda x: [math.hypot(x[0], x[1], x[2])],
    "math.hypot of one": lambda x: [x[3] + math.hypot(x[2])],
    "einsum with capital letters": lambda x: np.einsum("Z...,Z...->...", x.reshape(2, 3), x.reshape(2, 3) * 2.0),
    "pad with two traced numbers": lambda x: np.pad(x[:3], (2, 0), constant_values=(x[4], x[5])),
    "pad with one traced number": lambda x: np.pad(x.reshape(2, 3), 1, constant_values=x[4]),
    "max of nothing": lambda x: np.max(x[:0], initial=0.5) + x,
    "prod of nothing": lambda x: np.prod(x[:0], initial=x[1]) * x,
    "round before the point": lambda x: np.round(x * 100.0 + [10, 20, 30, 40, 50, 60], -1) * x,
}

REFUSED: Programs = {
    "matmul of truth values": lambda x: ((x > 0) @ (x < 9)) * x,
    "einsum of truth values": lambda x: np.einsum("i,i->", x > 0, x < 9) * x,
    "sum of truth values as truth value": lambda x: np.sum(x > 0, dtype=bool) * x,
    "sum of truth values from a fraction": lambda x: np.sum(x > 0, initial=0.5) * x,
    "counts do not take numbers": lambda x: put((x > 0).astype(int), 0, x[1]) * x,
    "sums of truth values do not take numbers": lambda x: put((x.reshape(2, 3) > 0).sum(axis=0), 0, x[1]) * x[:3],
    "insert into integers": lambda x: np.insert(np.array([1, 2, 3]), 1, x[0]) * 1.0,
    "pad of integers": lambda x: np.pad(np.array([1, 2]), 1, constant_values=x[0]) * 1.0,
    "order of the memory": lambda x: (x.reshape(2, 3).T * 1.0).ravel("K"),
    "order of the memory, too": lambda x: (x.reshape(2, 3).T * 1.0).reshape(6, order="A"),
    "floats seen in a complex buffer": filled(lambda y, x: put(y.view(float), slice(None), x), 3, dtype=complex),
}


@pytest.mark.parametrize("strategy", ["identity", "forward"])
@pytest.mark.parametrize(
    "f",
    [pytest.param(f, id=name) for name, f in (SHAPES | TRUTHS | OUT | VIEWS | FUNCTIONS).items()],
)
def test_right(f: Callable[[Any], Any], strategy: Any) -> None:
    value, jacobian = sparsejac.value_and_jacobian(f, X, strategy=strategy)
    assert np.shape(value) == np.shape(f(X.copy()))
    np.testing.assert_allclose(np.ravel(value), flat_value(f, X), rtol=1e-12)
    np.testing.assert_allclose(jacobian.toarray(), differences(f, X).jacobian, atol=1e-7)


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in REFUSED.items()])
def test_refused(f: Callable[[Any], Any]) -> None:
    with pytest.raises(sparsejac.UntraceableError):
        sparsejac.sparse_jacobian(f, X)


def test_in_place_counts_stay_counts() -> None:
    def f(x: Array) -> Any:
        counts = (x > 0).astype(int)
        counts += 1
        counts += x < 1
        return counts * x

    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X).toarray(), differences(f, X).jacobian, atol=1e-7)


def test_default_arguments_of_a_plan_are_its_own() -> None:
    """As captured arrays are: what is written into them after `prepare` changes nothing."""
    c, d = np.ones(3), {"scale": np.array(2.0 * np.ones(3))}
    plan = sparsejac.prepare(lambda x, c, d: c * d["scale"] * x, np.ones(3), c, d)
    c[:] = 7.0
    d["scale"][:] = 7.0
    np.testing.assert_array_equal(plan(np.ones(3)).toarray(), 2.0 * np.eye(3))
    np.testing.assert_array_equal(plan(np.ones(3), c).toarray(), 14.0 * np.eye(3))


def test_joining_into_what_is_joined_is_refused() -> None:
    """NumPy writes piece by piece: the second piece of this stack is the first one once more."""

    def f(x):
        y = np.zeros((2, 3))
        y[:] = x.reshape(2, 3)
        np.stack([y[1], y[0]], out=y)
        return y.ravel()

    with pytest.raises(sparsejac.UntraceableError, match="overlaps what is joined"):
        sparsejac.sparse_jacobian(f, np.arange(6.0))


def test_astype_copies_where_the_order_is_another_one() -> None:
    def f(x):
        y = np.zeros((2, 3))
        y[:] = x.reshape(2, 3)
        z = y.astype(float, order="F", copy=False)
        z += x[0]
        same = y.astype(float, order="C", copy=False)
        same *= 2.0
        return y.ravel()

    np.testing.assert_array_equal(sparsejac.sparse_jacobian(f, np.arange(6.0)).toarray(), 2.0 * np.eye(6))


WHOLE_NUMBERS: Programs = {
    "a list times a count": lambda x: np.array([1.0] * (x > 1.0).sum() + [x[0]]),
    "a count times a tuple": lambda x: np.array(math.floor(x[3]) * (x[1], x[2])),
    "a text times a count": lambda x: x * len("ab" * math.floor(x[3])),
    "ones of a count": lambda x: np.ones(math.floor(x[3]) + 1) * x[0],
    "zeros of a count": lambda x: np.zeros(shape=(x > 1.0).sum()) + x[0],
}


@pytest.mark.parametrize("f", [pytest.param(f, id=name) for name, f in WHOLE_NUMBERS.items()])
def test_whole_numbers_of_values(f: Callable[[Any], Any]) -> None:
    plan = sparsejac.prepare(f, X)
    for x in (X, X + np.array([0.0, -0.6, 0.0, 1.0, 0.9, 0.0])):
        for value, jacobian in (sparsejac.value_and_jacobian(f, x), plan.value_and_jacobian(x)):
            assert np.shape(value) == np.shape(f(x.copy()))
            np.testing.assert_allclose(jacobian.toarray(), differences(f, x).jacobian, atol=1e-7)


@pytest.mark.parametrize("f", [lambda x: sum(t for t in x[0]), lambda x: list(x[0]), lambda x: x[0][0]])
def test_numbers_are_not_iterated(f: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, IndexError)):
        f(X.copy())
    with pytest.raises(TypeError):
        sparsejac.sparse_jacobian(f, X)


def test_vectorize_takes_its_type_from_a_traced_first_result() -> None:
    """NumPy's result is of integers then, and cuts the other results."""
    with pytest.raises(sparsejac.UntraceableError):
        sparsejac.sparse_jacobian(lambda x: np.vectorize(lambda t: math.floor(t) if t < 1.0 else t)(x) * x[0], X)


def test_plan_tells_minus_zero_from_zero() -> None:
    plan = sparsejac.prepare(lambda x: x * 2.0 if np.signbit(x[0]) else x * 3.0, np.array([0.0, 1.0]))
    np.testing.assert_array_equal(plan(np.array([-0.0, 1.0])).toarray(), 2.0 * np.eye(2))
    np.testing.assert_array_equal(plan(np.array([0.0, 1.0])).toarray(), 3.0 * np.eye(2))


def test_primitive_with_numbers_in_a_dict() -> None:
    scaled = sparsejac.primitive(lambda t, o: t * o["k"], jvp=lambda a, d: d[0] * a[1]["k"], sparsity="elementwise")
    for k in (2.0, 3.0, np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.arange(6.0)):
        jacobian = sparsejac.sparse_jacobian(lambda x, k=k: scaled(x, {"k": k}), X)
        np.testing.assert_array_equal(jacobian.toarray(), np.diag(np.broadcast_to(k, 6)))


@pytest.mark.parametrize("signature", ["int64(int64)", "float32(float32)"])
def test_numba_converts_to_stated_types(signature: str) -> None:
    twice = numba.njit(signature)(lambda a: a * 2)
    assert twice(2.7) != 5.4
    with pytest.raises(sparsejac.UntraceableError, match="stated types"):
        sparsejac.sparse_jacobian(lambda x: np.array([twice(t) for t in x]), X)
    plain = sparsejac.sparse_jacobian(lambda x: twice(2.7) * x, X)
    np.testing.assert_array_equal(plain.toarray(), twice(2.7) * np.eye(6))


def test_numba_of_stated_doubles_is_followed() -> None:
    def smooth(x: Any, c: Any) -> Any:
        return x * x * c

    followed = numba.njit(["float64[:](float64[:], float64)", "float32[:](float32[:], float32)"])(smooth)
    jacobian = sparsejac.sparse_jacobian(lambda x: followed(x, x[0]), X)
    np.testing.assert_allclose(jacobian.toarray(), differences(lambda x: smooth(x, x[0]), X).jacobian, atol=1e-7)


def test_numba_ufunc_of_single_precision_is_refused() -> None:
    scaled = numba.vectorize(["float32(float32)"])(lambda a: a * 1.1)
    with pytest.raises(TypeError):
        scaled(X)
    with pytest.raises(sparsejac.UntraceableError, match="stated types"):
        sparsejac.sparse_jacobian(lambda x: scaled(x), X)


MATRIX = np.matrix(np.arange(18.0).reshape(3, 6))
MASKED = np.ma.array(X, mask=[0, 1, 0, 0, 0, 0])


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x * MATRIX.T,
        lambda x: MATRIX @ x,
        lambda x: np.dot(MATRIX, x),
        lambda x: np.multiply(MATRIX, x),
        lambda x: x[0] * MATRIX,
        lambda x: np.concatenate([MATRIX, x[None]]),
        lambda x: x * MASKED,
        lambda x: x[0] + MASKED,
        lambda x: np.asmatrix(np.ones((3, 6))) * x[:, None],
        lambda x: np.asmatrix(2 * np.eye(6)[1:]) * x[:, None],
        lambda x: np.bmat([[np.eye(6)[:2]]]) * x[:, None],
        lambda x: np.asmatrix(x) * 2.0,
    ],
)
def test_matrices_and_masked_arrays_are_refused(f: Callable[[Any], Any]) -> None:
    """In NumPy they compute in ways of their own: ``x * M`` is a product of matrices."""
    assert isinstance(f(X.copy()), np.matrix | np.ma.MaskedArray)
    with pytest.raises(sparsejac.UntraceableError):
        sparsejac.sparse_jacobian(f, X)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrices_of_constants_alone_compute_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        return np.asarray((np.asmatrix(np.tri(6)) ** 2)[:4]) @ x

    np.testing.assert_array_equal(sparsejac.sparse_jacobian(f, X).toarray(), (np.tri(6) @ np.tri(6))[:4])


@pytest.mark.parametrize(
    "f",
    [
        lambda s, x: s * x,
        lambda s, x: x * s,
        lambda s, x: s.to_frame().T @ x,
        lambda s, x: type(s)(x).rolling(2).mean().to_numpy(),
        lambda s, x: (type(s)(x) ** 2).to_numpy(),
    ],
)
def test_tables_of_pandas_are_refused_at_the_line_of_f(f: Callable[[Any, Any], Any]) -> None:
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(np.arange(6.0))
    assert len(f(series, X.copy())) in (1, 6)
    with pytest.raises(sparsejac.UntraceableError, match=r"pandas(?s:.*)test_hunted\.py(?s:.*)series\.to_numpy\(\)"):
        sparsejac.sparse_jacobian(lambda x: f(series, x), X)
    np.testing.assert_array_equal(sparsejac.sparse_jacobian(lambda x: series.to_numpy() * x, X).diagonal(), series)


def test_a_cached_function_is_refused_at_its_definition() -> None:
    @functools.cache
    def cached(x: Any) -> Any:
        return x * 2.0

    with pytest.raises(sparsejac.UntraceableError, match=r"test_hunted\.py(?s:.*)without functools\.cache"):
        sparsejac.sparse_jacobian(cached, X)


def test_a_sparse_matrix_is_no_result() -> None:
    for f in (lambda x: sp.diags_array(x), lambda x: {"A": sp.eye_array(3)}):
        with pytest.raises(sparsejac.InputTypeError, match=r"f returned a sparse matrix(?s:.*)toarray"):
            sparsejac.sparse_jacobian(f, X)


def test_matrices_may_be_written_and_converted() -> None:
    def f(x: Any) -> Any:
        y = np.zeros((3, 6))
        y[:] = MATRIX
        y[0] *= x
        y[1] = MATRIX[0]
        return y.ravel() + np.asarray(MATRIX).ravel() * x[0]

    np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X).toarray(), differences(f, X).jacobian, atol=1e-6)


class Scaled(np.ndarray):
    """Like a quantity with a unit: what it computes is not what its numbers say."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        numbers = [10.0 * np.asarray(a) if isinstance(a, Scaled) else a for a in inputs]
        return getattr(ufunc, method)(*numbers, **kwargs)


class Tagged(np.ndarray):
    """An array with a name, which computes as any other."""

    name = "tag"


def test_arrays_that_compute_in_their_own_way_are_refused() -> None:
    scaled = np.ones(6).view(Scaled)
    np.testing.assert_array_equal(X * scaled, 10.0 * X)
    with pytest.raises(sparsejac.UntraceableError, match="ways of its own"):
        sparsejac.sparse_jacobian(lambda x: x * scaled, X)
    tagged = np.arange(6.0).view(Tagged)
    np.testing.assert_array_equal(sparsejac.sparse_jacobian(lambda x: x * tagged, X).toarray(), np.diag(tagged))


@pytest.mark.parametrize("state", [{"all": "raise"}, {"divide": "raise"}, {"invalid": "call"}])
def test_floating_point_errors_that_f_waits_for_are_refused(state: dict[str, Any]) -> None:
    """While f is followed nothing is computed that could raise."""

    def f(x):
        with np.errstate(**state):
            try:
                return np.sqrt(x)
            except FloatingPointError:
                return x**2

    with pytest.raises(sparsejac.UntraceableError, match=r"np\.errstate"):
        sparsejac.sparse_jacobian(f, np.array([-1.0, 4.0]))


def test_errors_that_are_silenced_are_no_matter() -> None:
    def f(x):
        old = np.seterr(all="ignore")
        with np.errstate(divide="ignore", invalid="warn"):
            y = np.where(x > 0, np.log(x), 0.0)
        np.seterr(**old)
        return y

    np.testing.assert_array_equal(sparsejac.sparse_jacobian(f, np.array([0.0, 4.0])).toarray(), np.diag([0.0, 0.25]))


def test_a_table_that_does_not_ascend_is_refused() -> None:
    """np.interp then gives what its search happens to find."""
    xp, fp = np.array([0.0, 2.0, 1.0, 3.0]), np.array([0.0, 1.0, 5.0, 2.0])
    with pytest.raises(sparsejac.UntraceableError, match="does not ascend"):
        sparsejac.sparse_jacobian(lambda x: np.interp(x, xp, fp), np.array([0.5, 1.5]))
    order = np.argsort(xp)
    J = sparsejac.sparse_jacobian(lambda x: np.interp(x, xp[order], fp[order]), np.array([0.5, 1.5]))
    np.testing.assert_allclose(J.toarray(), np.diag([5.0, -4.0]))


SUMMED: Programs = {
    "squares of running sums": lambda x: np.sum(np.cumsum(x) ** 2),
    "running sums of reversed, one row": lambda x: np.sum(np.sin(np.cumsum(x[::-1])))[None],
    "the same row three times": lambda x: np.full(3, 1.0) * np.sum(np.cumsum(x[1:] - x[:-1]) ** 2),
    "row sums of running sums": lambda x: np.sum(np.cumsum(np.cumsum(x) ** 2).reshape(3, -1) ** 2, axis=1),
}


@pytest.mark.parametrize("f", SUMMED.values(), ids=SUMMED.keys())
def test_rows_to_which_many_points_are_summed_are_whole(f: Callable[[Any], Any]) -> None:
    """Points of one row were taken for rows that are alike, and all but the first left out."""
    x = np.random.default_rng(7).uniform(-1.0, 1.0, 39)
    found = sparsejac.sparse_jacobian(f, x, strategy="elimination").toarray()
    np.testing.assert_allclose(found, differences(f, x).jacobian, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_entries_go_into_a_file_that_is_mapped(tmp_path: Path, backend: Any) -> None:
    """Once all of an evaluation was one compiled call, it took no array but np.ndarray itself."""
    plan = sparsejac.prepare(lambda x: np.sin(x[1:]) * x[:-1], X, strategy="elimination", backend=backend)
    mapped = np.memmap(tmp_path / "entries", dtype=np.float64, mode="w+", shape=(2, plan.pattern.nnz))
    for _ in range(3):
        plan.values(X, out=mapped[0])
        plan.values(np.array([X, 2.0 * X]), batch=True, out=mapped)
    np.testing.assert_array_equal(mapped, [plan.values(X), plan.values(2.0 * X)])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_rows_without_entries_beside_regions_write_nothing(monkeypatch: pytest.MonkeyPatch, backend: Any) -> None:
    """What was left to tables had no entries, and was written over all of those that there are."""
    monkeypatch.setattr("sparsejac.elimination.expansion.MOST_DEMANDS", (3, 1))
    x = np.random.default_rng(7).uniform(0.5, 1.0, 139)

    def f(x):
        y, z = np.sin(np.pad(x, 1)), np.zeros(141)
        flux = np.sin(y[1:] * y[:-1])
        z[1:] += flux
        z[:-1] -= flux * y[1:]
        return z[::2]

    plan = sparsejac.prepare(f, x, strategy="elimination", backend=backend)
    for _ in range(2):
        np.testing.assert_allclose(plan(x).toarray(), differences(f, x).jacobian, rtol=1e-6, atol=1e-6)
