"""Integers that depend on x by comparisons alone: their type is NumPy's, and as indices they are decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import differences, flat_value

X = np.array([1.1, 0.2, 3.1, 0.4])
Y = np.array([0.25, 2.2, 0.1, 1.4])
TABLE = np.array([1.0, 4.0, 9.0, 16.0, 25.0, 36.0])
PLACES = np.arange(4)
NARROW = PLACES.astype(np.int32)
BYTES = np.array([100, 50, 7, 3], dtype=np.int8)

Programs = dict[str, Callable[[Any], Any]]


def upwind(x: Any) -> Any:
    """The mobility of the cell on the side from where it flows."""
    side = np.where(x[:-1] > x[1:], np.arange(3), np.arange(1, 4))
    return (x**2)[side] * (x[:-1] - x[1:])


def marked(x: Any) -> Any:
    kind = np.zeros(4, dtype=int)
    kind[x > 1.0] = 2
    return TABLE[kind] * x


def scattered(x: Any) -> Any:
    y = np.zeros(3)
    np.add.at(y, np.where(x > 1.0, 1, 2), x**2)
    return y


INDICES: Programs = {
    "upwind": upwind,
    "a mask beside places": lambda x: TABLE[PLACES + (x > 1.0)] * x,
    "one minus a mask": lambda x: TABLE[2 - (x > 1.0)] * x,
    "running counts": lambda x: TABLE[np.cumsum(x > 1.0)] * x,
    "the larger of two": lambda x: TABLE[np.maximum((x > 1.0) * 2, (x > 0.3) * 1)] * x,
    "a buffer": marked,
    "select": lambda x: TABLE[np.select([x > 2.0, x > 0.5], [PLACES, PLACES * 0 + 1], default=5)] * x,
    "take": lambda x: np.take(x**2, np.where(x > 1.0, 1, 2)),
    "along an axis": lambda x: np.take_along_axis(x.reshape(2, 2), np.where(x[:2] > 1.0, 1, 0)[:, None], 1),
    "one number": lambda x: x[np.where(x[0] > 1.0, 1, 2)] * TABLE[np.where(x[1] > 1.0, 1, 2)],
    "a slice": lambda x: np.sum(x[: np.where(x > 1.0, 1, 0).sum()] ** 2),
    "range": lambda x: sum(x[k] ** 2 for k in range(np.where(x[0] > 1.0, 2, 3))),
    "a loop": lambda x: np.array([x[k] * TABLE[k] for k in np.where(x > 1.0, 1, 2)]),
    "add.at": scattered,
    "bincount": lambda x: np.bincount(np.where(x > 1.0, 1, 0), weights=x**2, minlength=3),
    "bincount of a mask": lambda x: np.bincount((x > 1.0).astype(int), weights=x**2, minlength=2),
    "two axes": lambda x: x.reshape(2, 2)[np.where(x[:2] > 1.0, 0, 1), [0, 1]],
    "negative ones": lambda x: x[-np.where(x > 1.0, 1, 2)] * x,
    "between bounds": lambda x: TABLE[np.clip(PLACES + np.where(x > 1.0, 1, -1), 0, 2)] * x,
    "joined": lambda x: TABLE[np.concatenate([[0], np.cumsum(x > 1.0)])],
    "codes of cases": lambda x: TABLE[(x.reshape(2, 2) > 1.0) @ [1, 2]] * x[:2] + x[np.dot([2, 1], x[:2] > 1.0)],
    "codes of more cases": lambda x: TABLE[np.einsum("ij,j->i", x.reshape(2, 2) > 1.0, [1, 2])] * x[:2],
    "side by side": lambda x: TABLE[np.hstack([np.where(x > 1.0, 1, 2), [0]])],
    "above each other": lambda x: TABLE[np.stack([np.append(x > 1.0, [2]), np.arange(5)])],
    "counts of codes": lambda x: np.bincount(np.where(x > 1.0, 1, 3)) * x[0],
    "rows of lists": lambda x: TABLE[[np.where(x > 1.0, 1, 2), (x > 0.3) * 1]] * x,
}
COMPUTED: Programs = {
    "division": lambda x: np.where(x > 1.0, 1, 2) / 2 * x,
    "division without rest": lambda x: np.where(x > 1.0, 3, 2) // 2 * x + np.where(x > 1.0, 3, 2) // 0,
    "remainder": lambda x: np.where(x > 1.0, 3, 2) % 2 * x + np.where(x > 1.0, 3, 2) % 0,
    "power": lambda x: x ** np.where(x > 1.0, 3, 2) + np.where(x > 1.0, 3, 2) ** 2,
    "signs": lambda x: np.where(x > 1.0, 1, -1) * x + np.sign(np.where(x > 1.0, 5, -5)) * x,
    "mean": lambda x: np.where(x > 1.0, 1, 2).mean() * x + np.exp(np.where(x > 1.0, 1, 2)),
    "an inverse": lambda x: (
        np.linalg.matrix_power(np.where(x.reshape(2, 2) > 1.0, 1, 2) * [[1, 2], [3, 1]], -1) // 0.3 @ x[:2]
    ),
    "sums of narrow ones": lambda x: (
        np.nansum(np.where(x > 1.0, BYTES, BYTES)) * x + np.nanprod(np.where(x > 1.0, 2, 3))
    ),
    "a float among them": lambda x: np.where(x > 1.0, 1, 0.5) // 0.3 * x,
    "x among them": lambda x: np.where(x > 1.0, x, 1) // 0.3 + np.where(x > 1.0, 2, x),
    "a list": lambda x: np.where(x > 1.0, [1, 2, 3, 4], 0) @ x,
}


@pytest.mark.parametrize("name", [*INDICES, *COMPUTED])
def test_as_numpy(name: str) -> None:
    f = (INDICES | COMPUTED)[name]
    plan = sparsejac.prepare(f, X, backend="numpy")
    with np.errstate(all="ignore"):
        for point in (X, Y):
            value, jacobian = sparsejac.value_and_jacobian(f, point)
            np.testing.assert_allclose(np.ravel(value), flat_value(f, point), rtol=1e-14)
            np.testing.assert_allclose(jacobian.toarray(), differences(f, point).jacobian, rtol=1e-7, atol=1e-8)
            np.testing.assert_allclose(plan(point).toarray(), jacobian.toarray(), rtol=1e-14)


def test_numbers_of_a_loop_as_indices() -> None:
    """The same Program at each call, although Python specialises the code in between: no PurityWarning."""

    def f(x: Any) -> Any:
        return np.array([x[k] * x[0] for k in (x > 1.0) * 1])

    for _ in range(4):
        plan = sparsejac.prepare(f, X, backend="numpy")
    np.testing.assert_allclose(plan(Y).toarray(), differences(f, Y).jacobian, rtol=1e-7, atol=1e-8)


def test_signs_are_no_branches() -> None:
    plan = sparsejac.prepare(lambda x: np.where(x > 1.0, 1, -1) * x**2, X, backend="numpy")
    np.testing.assert_allclose(plan(Y).diagonal(), [-0.5, 4.4, -0.2, 2.8], rtol=1e-14)
    assert plan.num_variants == 1


TYPES: dict[str, Callable[[Any], Any]] = {
    "of Python's integers": lambda x: np.where(x > 1.0, 1, 0),
    "of one integer": lambda x: np.where(x[0] > 1.0, 1, 0),
    "of a float, too": lambda x: np.where(x > 1.0, 1, 0.0),
    "of truth values": lambda x: np.where(x > 1.0, True, False),
    "of an integer and a truth value": lambda x: np.where(x > 1.0, True, 2),
    "narrow": lambda x: np.where(x > 1.0, NARROW, NARROW + 1),
    "narrow and wide": lambda x: np.where(x > 1.0, NARROW, PLACES),
    "narrow beside Python's": lambda x: np.where(x > 1.0, NARROW, 1),
    "of x": lambda x: np.where(x > 1.0, x, 1),
    "of a list": lambda x: np.where(x > 1.0, [1, 2, 3, 4], 0),
    "select": lambda x: np.select([x > 1.0], [PLACES]),
    "between bounds": lambda x: np.clip(np.where(x > 1.0, 3, 0), 1, 2),
    "between bounds that are floats": lambda x: np.clip(np.where(x > 1.0, 3, 0), a_min=0, a_max=2.5),
    "joined": lambda x: np.concatenate([np.where(x > 1.0, 3, 0), [1]]),
    "joined with a list": lambda x: np.concatenate([np.where(x > 1.0, NARROW, NARROW + 1), [1]]),
    "joined with nothing": lambda x: np.concatenate([np.where(x > 1.0, 3, 0), []]),
    "above each other": lambda x: np.vstack([np.where(x > 1.0, NARROW, NARROW + 1), NARROW]),
    "a power of matrices": lambda x: np.linalg.matrix_power(np.outer(x > 1.0, PLACES), 3),
    "an inverse": lambda x: np.linalg.matrix_power(np.where(x[:1, None] > 1.0, 1, 2), -1),
    "a sum of narrow ones": lambda x: np.nansum(np.where(x > 1.0, BYTES, BYTES)),
    "joined with floats": lambda x: np.concatenate([np.where(x > 1.0, 3, 0), [1.0]]),
    "products": lambda x: np.outer(x > 1.0, PLACES) @ PLACES,
    "products with floats": lambda x: np.where(x > 1.0, 3, 0) @ TABLE[:4],
    "one product": lambda x: np.where(x > 1.0, 3, 0) @ PLACES,
    "none": lambda x: np.where(x[:0] > 1.0, 1, 0),
}


@pytest.mark.parametrize("name", TYPES)
def test_types_and_shapes(name: str) -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        found = TYPES[name](x)
        seen.append((np.dtype(found.dtype), found.shape))
        return x

    sparsejac.sparse_jacobian(f, X)
    f(X)
    assert len(set(seen)) == 1


def test_floats_are_no_indices() -> None:
    with pytest.raises(IndexError, match="only integers"):
        sparsejac.sparse_jacobian(lambda x: x[np.where(x > 1.0, 1.0, 2.0)], X)
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)np\.bincount of floats.*test_integers.*Cure: "):
        sparsejac.sparse_jacobian(lambda x: np.bincount(x), X)


NARROW_PRODUCTS: Programs = {
    "dot": lambda i: np.dot(i, BYTES),
    "matmul": lambda i: i @ BYTES,
    "einsum": lambda i: np.einsum("i,i", i, BYTES),
    "outer": lambda i: np.outer(BYTES, i)[0],
    "convolve": lambda i: np.convolve(i, BYTES)[:4],
}


@pytest.mark.parametrize("name", NARROW_PRODUCTS)
def test_products_of_narrow_integers(name: str) -> None:
    """NumPy's overflow: 100 * 100 as int8 is 16."""
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)int8.*test_integers.*Cure: "):
        sparsejac.sparse_jacobian(lambda x: NARROW_PRODUCTS[name](np.where(x > 1.0, BYTES, BYTES)) * x, X)


@pytest.mark.parametrize("value", [2.7, [2.7]])
def test_floats_put_between_integers(value: Any) -> None:
    with pytest.raises(sparsejac.UntraceableError, match=r"(?s)np\.insert.*int64.*test_integers.*Cure: "):
        sparsejac.sparse_jacobian(lambda x: np.insert(np.where(x > 1.0, 1, 2), 1, value)[:4] * x, X)


NEGATIVE_POWERS: Programs = {
    "a number": lambda x: np.where(x > 1.0, 1, 2) ** -1,
    "some": lambda x: np.power(np.where(x > 1.0, 1, 2), [1, 1, 1, -1]),
    "some of x": lambda x: 2 ** np.where(x > 1.0, 1, -1),
}


@pytest.mark.parametrize("name", NEGATIVE_POWERS)
def test_negative_powers(name: str) -> None:
    f = NEGATIVE_POWERS[name]
    with pytest.raises(ValueError, match="negative integer powers"):
        f(X)
    with pytest.raises(ValueError, match="negative integer powers"):
        sparsejac.sparse_jacobian(lambda x: f(x) * x, X)
