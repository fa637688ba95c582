"""np.concatenate: parts of all layouts, along every axis, against NumPy's values and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dense_checks import check
from oracles import Array
from sparsejac import jacobian_sparsity, sparse_jacobian
from sparsejac.tracing import run
from sparsejac.tracing.numpy_rules import structural

LINE = np.array([0.7, -1.3, 2.1, 0.4, -0.6])
TABLE = np.array([[0.3, -1.2, 2.5, 0.9], [1.1, 0.4, -0.6, -2.2], [0.8, 1.9, -1.5, 0.1]])
CUBE = np.linspace(-1.1, 1.7, 24).reshape(2, 3, 4) ** 3 + 0.31

JOINED: dict[str, tuple[Callable[[Any], Any], Array]] = {
    "lines": (lambda x: np.concatenate([x[1:], x**2, x[::-2]]), LINE),
    "one": (lambda x: np.concatenate([x]) * x, LINE),
    "rows": (lambda x: np.concatenate([x[2:], np.sin(x), x[:0]]), TABLE),
    "columns": (lambda x: np.concatenate([x[:, ::-1], x[:, 1:2] * x[:, :1]], 1), TABLE),
    "last": (lambda x: np.concatenate((x.T, 3.0 * x[:2, :].T), axis=-1), TABLE),
    "middle": (lambda x: np.concatenate([x, x[:, :1] ** 3, x[:, ::-2]], axis=-2), CUBE),
    "spread": (lambda x: np.concatenate([np.broadcast_to(x[:1], (2, 4)), x * 2.0]), TABLE),
    "constants": (lambda x: np.concatenate([np.ones((3, 2)), x, np.zeros((3, 0)), np.eye(3)], 1), TABLE),
    "sum": (lambda x: np.concatenate([x[:2], x[1:]]) * np.concatenate([x, x[:1]]), TABLE),
    "written": (lambda x: _written(np.concatenate([x, x**2])), LINE),
    "complex": (lambda x: np.abs(np.concatenate([x * 1j, (1.0 + x) * (2.0 - 1j)])), LINE),
    "mixed": (lambda x: np.concatenate([x * 1j, x]).imag, LINE),
    "empty": (lambda x: np.concatenate([x, x]), np.zeros((0, 3))),
    "single": (lambda x: np.concatenate([x, x * x], axis=1), np.array([[1.7]])),
}


def _written(y: Any) -> Any:
    y[1:7] *= y[0]
    return y


@pytest.mark.parametrize("name", JOINED)
def test_joined(name: str) -> None:
    f, x = JOINED[name]
    check(f, x)


@pytest.mark.parametrize("name", JOINED)
def test_values(name: str) -> None:
    f, x = JOINED[name]
    assert run(f, [x], 0).shape == f(x).shape


def test_pattern_is_that_of_the_parts() -> None:
    pattern = jacobian_sparsity(lambda x: np.concatenate([x[2:], x[:1]]), LINE)
    assert (pattern.shape, pattern.indices.tolist(), pattern.indptr.tolist()) == ((4, 5), [2, 3, 4, 0], [0, 1, 2, 3, 4])


SPREAD: dict[str, Callable[[Any], Any]] = {
    "rows": lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[1]]),
    "columns": lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[1]], axis=1),
    "planes": lambda x: np.stack([x, x**2], axis=-1),
    "middle": lambda x: np.stack([x, x**2], axis=1),
    "side by side": lambda x: np.hstack([x[:, :2] * 2.0, np.cos(x)]),
    "on top": lambda x: np.vstack([x[:1], np.cos(x)]),
    "column by column": lambda x: np.column_stack([x[0], x[1] * x[2]]),
    "behind": lambda x: np.append(np.sin(x), x[1] ** 2),
    "blocks": lambda x: np.block([[x[:, :3], x[:, :3] ** 2], [x[:, 1:] * x[:, :3], np.exp(x[:, 1:])]]),
    "with numbers": lambda x: np.stack([x[0], np.ones(4), x[1]], axis=1),
    "turned": lambda x: np.roll(np.sin(x), 5),
    "cross product": lambda x: np.cross(x[:, :3], x[:, 1:] ** 2),
    "single elements": lambda x: np.stack([x[:, :1], x[:, 1:2]]),
    "inserted": lambda x: np.insert(np.sin(x), 1, x[2] * 2.0, axis=1 - 1),
}


@pytest.mark.parametrize("name", SPREAD)
def test_parts_that_lie_by_even_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found as a whole, or element by element: the same Program."""
    whole = run(SPREAD[name], [TABLE], 0)
    monkeypatch.setattr(structural, "_LONG", 1)
    by_steps = run(SPREAD[name], [TABLE], 0)
    assert by_steps.program.digest == whole.program.digest
    check(SPREAD[name], TABLE)


def test_even_steps() -> None:
    def stores(places: list[int], *bounds: int) -> list[tuple[int, tuple[int, ...]]] | None:
        found = structural._even_stores(np.array(places), list(bounds))
        return None if found is None else [(store.offset, store.strides) for store in found]

    many = structural._LONG
    one, two = np.arange(1, many + 1), np.arange(many + 1, 2 * many + 1)
    assert stores(np.stack([one, two], 1).ravel().tolist(), 1, many + 1, 2 * many + 1) == [(0, (2,)), (1, (2,))]
    assert stores([*one, *two], 1, many + 1, 2 * many + 1) == [(0, (1,)), (many, (1,))]
    assert stores([*one[::-1], *two], 1, many + 1, 2 * many + 1) is None
    assert stores([*one, *one], 1, many + 1, 2 * many + 1) is None  # the second is not there
    assert stores([*one, *two, 3], 1, many + 1, 2 * many + 1) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_low_precision_stays(dtype: Any) -> None:
    seen = []

    def f(x: Any) -> Any:
        y = np.concatenate([x.astype(dtype), np.ones(2, dtype)])
        seen.append(y.dtype)
        return y.astype(float)

    sparse_jacobian(f, LINE)
    assert set(seen) == {np.dtype(dtype)}


@pytest.mark.parametrize(
    "join",
    [
        lambda x: np.concatenate([x, x[:, 1:]]),
        lambda x: np.concatenate([x, x[0]]),
        lambda x: np.concatenate([x, x], axis=2),
        lambda x: np.concatenate([x, x], axis=-3),
    ],
)
def test_shapes_that_do_not_fit_raise_as_numpy_does(join: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match=r".") as expected:
        join(TABLE)
    with pytest.raises(type(expected.value)):
        sparse_jacobian(join, TABLE)
