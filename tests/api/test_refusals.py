"""What cannot be traced raises, naming the operation, the user's file and line, and the cure."""

from __future__ import annotations

import array
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import Array, differences

X = np.array([0.5, 1.5, 1.0, 2.0])


def bytes_of_the_array(x: Array) -> Any:
    """Leave NumPy through raw bytes."""
    return np.frombuffer(x.tobytes()) * 2.0


def reinterpreted_as_integers(x: Array) -> Any:
    """Look at the bits."""
    return x.view(np.int64) * 1.0


def last_bits(x: Array) -> Any:
    """A function of the representation, not of the number."""
    return np.spacing(x)


def next_float(x: Array) -> Any:
    """Another one, of two numbers."""
    return np.nextafter(x, 10.0)


def two_histograms(x: Array) -> Any:
    """A function that nobody has given a rule."""
    return np.histogram2d(x[:2], x[2:], bins=2, weights=x[:2])[0]


def packed_by_struct(x: Array) -> Any:
    """A C function that takes a double."""
    return struct.unpack("d", struct.pack("d", x[0]))[0] * x


def standard_array(x: Array) -> Any:
    """The standard library's array of doubles."""
    return np.array(array.array("d", [x[0], x[1]])) * 2.0


def random_scale(x: Array) -> Any:
    """A generator whose parameter is unknown."""
    return np.random.default_rng(0).normal(x[0], 1.0, 3)


def written_into_integers(x: Array) -> Any:
    """An integer buffer cuts the value, and the derivative with it."""
    y = np.zeros(3, dtype=int)
    y[:] = x[1:]
    return y * 1.0


NAMED: list[tuple[Callable[[Array], Any], str]] = [
    (bytes_of_the_array, "tobytes"),
    (reinterpreted_as_integers, "view"),
    (last_bits, "spacing"),
    (next_float, "nextafter"),
    (two_histograms, "histogram2d"),
]
UNNAMED: list[Callable[[Array], Any]] = [packed_by_struct, standard_array, random_scale, written_into_integers]
REFUSED = [f for f, _ in NAMED] + UNNAMED


def lines_of(f: Callable[..., Any]) -> range:
    """Give the lines of f in this file."""
    code = f.__code__
    return range(code.co_firstlineno, max(line for *_, line in code.co_lines() if line) + 1)


@pytest.mark.parametrize("f", REFUSED, ids=lambda f: f.__name__)
def test_refused_with_place(f: Callable[[Array], Any]) -> None:
    """The message has the user's file and a line of f."""
    with pytest.raises(sparsejac.UntraceableError) as caught:
        sparsejac.sparse_jacobian(f, X)
    message = str(caught.value)
    assert Path(__file__).name in message
    assert any(re.search(rf"\b{line}\b", message) for line in lines_of(f)[2:])


@pytest.mark.parametrize(("f", "name"), NAMED, ids=lambda part: getattr(part, "__name__", part))
def test_refused_by_name(f: Callable[[Array], Any], name: str) -> None:
    """The message names the operation, and goes on to say what to do."""
    with pytest.raises(sparsejac.UntraceableError, match=name) as caught:
        sparsejac.sparse_jacobian(f, X)
    words = str(caught.value).lower().split()
    assert any(
        word in words for word in ("use", "write", "instead", "replace", "rewrite", "pass", "declare", "express")
    )


@pytest.mark.parametrize("name", ["prepare", "jacobian_sparsity", "value_and_jacobian"])
def test_every_entry_point_refuses(name: str) -> None:
    """No way around."""
    with pytest.raises(sparsejac.UntraceableError, match="spacing"):
        getattr(sparsejac, name)(last_bits, X)
    with pytest.raises(sparsejac.UntraceableError, match="spacing"):
        sparsejac.jacobian(last_bits)(X)


def test_refusal_in_a_helper_names_the_helpers_line() -> None:
    """The line is the one that does it, though f only calls it."""

    def helper(v: Any) -> Any:
        return np.spacing(v)

    def f(x: Array) -> Any:
        return helper(x[1:]) * x[0]

    with pytest.raises(sparsejac.UntraceableError) as caught:
        sparsejac.sparse_jacobian(f, X)
    assert str(helper.__code__.co_firstlineno + 1) in str(caught.value)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda f: f.__name__)
def test_refusal_is_sticky(refused: Callable[[Array], Any]) -> None:
    """An f that catches the refusal and goes on fails all the same: its derivative would be wrong."""

    def f(x: Array) -> Any:
        try:
            extra = refused(x)
        except Exception:
            extra = 0.0
        return x[1:] * 2.0 + np.sum(extra) * 0.0

    with pytest.raises(sparsejac.UntraceableError):
        sparsejac.sparse_jacobian(f, X)


def test_swallowed_with_a_constant_result() -> None:
    """Even when the result does not depend on x any more."""

    def f(x: Array) -> Any:
        try:
            return last_bits(x)
        except TypeError:
            return np.zeros(3)

    with pytest.raises(sparsejac.UntraceableError, match="spacing"):
        sparsejac.sparse_jacobian(f, X)


def test_next_call_after_a_refusal_is_clean() -> None:
    """A refusal leaves nothing behind."""
    for _ in range(3):
        with pytest.raises(sparsejac.UntraceableError):
            sparsejac.sparse_jacobian(last_bits, X)
        found = sparsejac.sparse_jacobian(lambda x: x[1:] ** 2, X)
        assert found.data.tolist() == [3.0, 2.0, 4.0]


def test_plain_float_conversion_keeps_or_refuses() -> None:
    """float(x[0]) in f keeps the derivative or is refused; a silent zero is the one wrong answer."""
    try:
        found = sparsejac.sparse_jacobian(lambda x: float(x[0]) * x[1:], X).toarray()
    except sparsejac.UntraceableError:
        return
    np.testing.assert_allclose(found[:, 0], X[1:])


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: np.asarray(x),
        lambda x: np.array(x),
        lambda x: np.array(x, dtype=float),
        lambda x: np.array(list(x)),
        lambda x: np.array([x[i].item() for i in range(4)]),
        lambda x: np.array(x.tolist()),
        lambda x: np.asarray([float(v) for v in x]),
        lambda x: np.float64(x[0]) * np.ones(4),
        lambda x: np.fromiter((v for v in x), dtype=float),
        lambda x: np.array([complex(v).real for v in x]),
        lambda x: np.asarray(memoryview(x)),
        lambda x: np.ascontiguousarray(x),
        lambda x: np.require(x, requirements="C"),
        lambda x: x.astype(float),
        lambda x: np.vectorize(lambda v: v)(x),
        lambda x: np.array([eval(repr(float(v))) for v in x]),
    ],
)
def test_conversions_never_drop_the_derivative(convert: Callable[[Array], Any]) -> None:
    """Each way out of the array keeps the derivative or is refused."""

    def f(x: Array) -> Any:
        return convert(x) ** 2

    try:
        found = sparsejac.sparse_jacobian(f, X).toarray()
    except (sparsejac.SparsejacError, TypeError):
        return
    first = np.zeros((4, 4))
    first[:, 0] = 2.0 * X[0]
    assert np.allclose(found, np.diag(2.0 * X)) or np.allclose(found, first)


def test_traced_value_kept_for_later_raises() -> None:
    """A traced value that escapes from f does not pass for a number afterwards."""
    kept: list[Any] = []

    def f(x: Array) -> Any:
        kept.append(x[1:] * 2.0)
        return x[1:]

    sparsejac.sparse_jacobian(f, X)
    with pytest.raises((sparsejac.SparsejacError, TypeError)):
        float(kept[0][0] + 1.0)


def test_untouched_buffer_is_an_array_afterwards() -> None:
    """A table that f builds lazily and keeps works as an ordinary array, in later calls and outside."""
    kept: dict[str, Any] = {}

    def f(x: Array) -> Any:
        if "table" not in kept:
            table = np.zeros(3)
            table[1:] = 2.0
            kept["table"] = table
        return kept["table"] * x[1:] ** 2

    first = sparsejac.sparse_jacobian(f, X).toarray()
    assert isinstance(kept["table"], np.ndarray)
    assert type(np.asarray(kept["table"])) is np.ndarray
    assert kept["table"].tolist() == [0.0, 2.0, 2.0]
    np.testing.assert_array_equal(sparsejac.sparse_jacobian(f, X).toarray(), first)
    np.testing.assert_array_equal(f(X), [0.0, 2.0, 8.0])


def test_copies_of_a_kept_buffer_take_traced_values() -> None:
    """A constant table that an earlier call built can be copied and written to in a later one."""
    kept: list[Any] = []

    def f(x: Array) -> Any:
        if not kept:
            kept.append(np.ones(4))
        y = kept[0].copy()
        y[1:3] = kept[0][:2] * x[:2]
        return np.stack([kept[0], y]) @ x

    expected = [[1.0, 1.0, 1.0, 1.0], [1.0 + X[1], X[0] + X[2], X[1], 1.0]]
    for _ in range(2):
        np.testing.assert_allclose(sparsejac.sparse_jacobian(f, X[:4]).toarray(), expected)


def with_fields(x: Array) -> Any:
    """An array with named fields."""
    y = np.zeros(4, dtype=[("a", float)])
    y["a"] = x
    return y["a"]


CURES: dict[str, tuple[Callable[[Array], Any], str, Callable[[Array], Any]]] = {
    "masked": (
        lambda x: np.ma.masked_where(x > 1.2, x).sum(),
        r"np\.where\(mask, 0\.0, x\)",
        lambda x: np.sum(np.where(x > 1.2, 0.0, x)),
    ),
    "polynomial": (
        lambda x: np.polynomial.Polynomial(x)(0.5),
        r"np\.polynomial\.polynomial\.polyval\(t, coefficients\)",
        lambda x: np.polynomial.polynomial.polyval(0.5, x),
    ),
    "choice": (
        lambda x: np.random.default_rng(1).choice(x, 3),
        r"x\[generator\.choice\(len\(x\), count\)\]",
        lambda x: x[np.random.default_rng(1).choice(len(x), 3)],
    ),
    "arange": (
        lambda x: np.arange(x[0], x[0] + 3.0),
        r"start \+ step \* np\.arange\(count\)",
        lambda x: x[0] + np.arange(3),
    ),
    "objects": (
        lambda x: np.array(list(x), dtype=object).astype(float),
        r"np\.array\(values\.tolist\(\)\)",
        lambda x: np.array(np.array(list(x), dtype=object).tolist()),
    ),
    "windows": (
        lambda x: np.lib.stride_tricks.as_strided(x, (3, 2), (8, 8)).sum(axis=1),
        r"sliding_window_view\(x, width\)",
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2).sum(axis=1),
    ),
    "strides": (lambda x: x * x.strides[0], r"table of places: x\[places\]", lambda x: x[[0, 1, 2, 3]] * 8.0),
    "fields": (with_fields, "one for each field", lambda x: x + np.zeros(4)),
}


@pytest.mark.parametrize("name", CURES)
def test_cures_name_what_works(name: str) -> None:
    refused, cure, cured = CURES[name]
    with pytest.raises(sparsejac.UntraceableError, match=f"(?s)test_refusals.py.*Cure: .*{cure}"):
        sparsejac.sparse_jacobian(refused, X)
    np.testing.assert_allclose(np.ravel(cured(X)), np.ravel(np.ma.filled(refused(X), 0.0)))
    estimate = differences(cured, X)
    np.testing.assert_allclose(sparsejac.sparse_jacobian(cured, X).toarray(), estimate.jacobian, rtol=1e-7, atol=1e-8)
