"""Bad input: each with its own error that names what came and the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sparsejac
from oracles import Array

X = np.array([0.5, 1.5, -1.0, 2.0])


def squares(x: Array) -> Any:
    """Give three outputs of four unknowns."""
    return x[1:] ** 2


ENTRY_POINTS: dict[str, Callable[..., Any]] = {
    "sparse_jacobian": lambda f, x, **options: sparsejac.sparse_jacobian(f, x, **options),
    "jacobian": lambda f, x, **options: sparsejac.jacobian(f, **options)(x),
    "value_and_jacobian": lambda f, x, **options: sparsejac.value_and_jacobian(f, x, **options),
    "prepare": lambda f, x, **options: sparsejac.prepare(f, x, **options),
    "jacobian_sparsity": lambda f, x, **options: sparsejac.jacobian_sparsity(f, x, **options),
}
every_entry_point = pytest.mark.parametrize("name", ENTRY_POINTS)


def test_error_classes() -> None:
    """One base class; a function that cannot be traced is a type error."""
    assert issubclass(sparsejac.UntraceableError, sparsejac.SparsejacError)
    assert issubclass(sparsejac.UntraceableError, TypeError)
    assert issubclass(sparsejac.SparsejacError, Exception)


@every_entry_point
@pytest.mark.parametrize("f", [None, 3.0, "sin", np.ones(3)])
def test_not_callable(name: str, f: Any) -> None:
    """The message names the call and the type that came."""
    with pytest.raises(sparsejac.SparsejacError, match=type(f).__name__) as caught:
        ENTRY_POINTS[name](f, X)
    assert "call" in str(caught.value)


@every_entry_point
@pytest.mark.parametrize(
    ("x", "word"),
    [
        (np.array([1.0, None], dtype=object), "object"),
        (np.array([1.0, 2.0j]), "complex"),
        ([1.0, 2.0 + 1j], "complex"),
        ("text", "str|<U"),
        (["a", "b"], "str|<U"),
        (None, "None|object"),
        ({"a": "text"}, r"x\['a'\]"),
        ({"a": [X, {"b": None}]}, r"x\['a'\]\[1\]\['b'\]"),
        ([[1.0, 2.0], [3.0]], "list|ragged|inhomogeneous|shape"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "datetime64"),
    ],
)
def test_bad_x(name: str, x: Any, word: str) -> None:
    """Text, objects, complex numbers and ragged lists as x."""
    with pytest.raises(sparsejac.SparsejacError, match=f"(?i){word}"):
        ENTRY_POINTS[name](squares, x)


@every_entry_point
@pytest.mark.parametrize(
    ("output", "word"),
    [
        (None, "None"),
        ("text", "str|<U"),
        (["a", "b"], "str|<U|list"),
        ([[1.0, 2.0], [3.0]], "list|ragged|inhomogeneous|shape"),
        ({"a": "text"}, r"str at \['a'\]"),
        ({"a": (X, None)}, r"None at \['a'\]\[1\]"),
        (np.array([1.0, None], dtype=object), "object|None"),
        (object(), "object"),
    ],
)
def test_bad_output(name: str, output: Any, word: str) -> None:
    """An f that returns None, text, a ragged list or something else."""

    def f(x: Array) -> Any:
        x[1:] * 2.0
        return output

    with pytest.raises(sparsejac.SparsejacError, match=f"(?i){word}"):
        ENTRY_POINTS[name](f, X)


@every_entry_point
def test_bad_output_with_traced_parts(name: str) -> None:
    """Ragged and mixed lists that hold traced values."""
    for f in (
        lambda x: [x[0], [x[1], x[2]]],
        lambda x: [x[:2], None],
        lambda x: {"a": x[:2], "b": "text"},
        lambda x: [x[0], None],
        lambda x: [x[0], "text"],
    ):
        with pytest.raises(sparsejac.SparsejacError):
            ENTRY_POINTS[name](f, X)


@every_entry_point
def test_complex_output(name: str) -> None:
    """A complex result has no real Jacobian: it is refused, not cut to its real part."""
    with pytest.raises(sparsejac.SparsejacError, match=r"(?i)complex"):
        ENTRY_POINTS[name](lambda x: x[1:] * 1j, X)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("strategy", "sideways", ("forward", "reverse", "bidirectional", "identity", "elimination", "auto")),
        ("strategy", "Forward", ("forward", "reverse", "bidirectional", "identity", "elimination", "auto")),
        ("strategy", None, ("forward", "reverse", "bidirectional", "identity", "elimination", "auto")),
        ("format", "dense", ("csr", "csc", "coo")),
        ("format", 3, ("csr", "csc", "coo")),
    ],
)
@pytest.mark.parametrize("name", ["sparse_jacobian", "jacobian", "value_and_jacobian", "prepare"])
def test_unknown_option(name: str, option: str, value: Any, allowed: tuple[str, ...]) -> None:
    """The message names the option, what came, and every allowed value."""
    with pytest.raises(sparsejac.SparsejacError) as caught:
        ENTRY_POINTS[name](squares, X, **{option: value})
    message = str(caught.value)
    assert option in message
    assert repr(value) in message
    for choice in allowed:
        assert repr(choice) in message


def test_unknown_option_is_found_when_the_callable_is_made() -> None:
    """Jacobian checks its options at once, not at the first call."""
    with pytest.raises(sparsejac.SparsejacError):
        sparsejac.jacobian(squares, strategy="sideways")  # type: ignore[arg-type]


def test_misspelled_option() -> None:
    """An option that does not exist is Python's own error."""
    with pytest.raises(TypeError, match="stratgy"):
        sparsejac.sparse_jacobian(squares, X, stratgy="forward")  # type: ignore[call-arg]


@pytest.mark.parametrize("x", [np.ones(3), np.ones((2, 2)), np.ones((4, 1)), 1.0, np.ones(0), [1.0, 2.0]])
@pytest.mark.parametrize("method", ["__call__", "values", "value_and_jacobian"])
def test_wrong_shape_of_x_in_a_plan(method: str, x: Any) -> None:
    """A plan holds for one shape of x; the message gives both."""
    plan = sparsejac.prepare(squares, X)
    with pytest.raises(sparsejac.SparsejacError, match=r"\(4,\)") as caught:
        getattr(plan, method)(x)
    assert str(np.shape(x)) in str(caught.value)


@pytest.mark.parametrize("x", [np.array([1.0, 2.0, 3.0, 4.0j]), ["a"] * 4, None, np.array([None] * 4)])
def test_wrong_type_of_x_in_a_plan(x: Any) -> None:
    """A plan checks the type of its x too."""
    plan = sparsejac.prepare(squares, X)
    with pytest.raises(sparsejac.SparsejacError):
        plan(x)


def test_wrong_out_of_a_plan() -> None:
    """Out must be a float64 vector of nnz entries."""
    plan = sparsejac.prepare(squares, X)
    single, whole = np.zeros(3, dtype=np.float32), np.zeros(3, dtype=int)
    wrong: list[Any] = [np.zeros(2), np.zeros(4), np.zeros((3, 1)), single, whole]
    for out in wrong:
        with pytest.raises(sparsejac.SparsejacError, match="out"):
            plan.values(X, out=out)


def _read_only() -> Array:
    out = np.zeros(3)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("out", "told"),
    [
        ([0.0] * 3, "a list of shape"),
        (np.zeros(4), "a ndarray of shape"),
        (np.zeros(3, dtype=np.float32), "of dtype float32"),
        (np.zeros(3, dtype=">f8"), "of dtype >f8"),
        (_read_only(), "read-only"),
        (np.zeros(6)[::2], "not contiguous"),
        (np.zeros(25, dtype=np.uint8)[1:].view(np.float64), "not contiguous, or not aligned"),
        (np.ma.array(np.zeros(3), mask=[True, False, False]), "a MaskedArray"),
    ],
)
def test_the_message_says_what_is_wrong_with_out(out: Any, told: str, batch: bool) -> None:
    """With the user's line and the cure, whatever is wrong; x stays as it was and nothing is written."""
    plan = sparsejac.prepare(squares, X)
    given = out[None] if batch and isinstance(out, np.ndarray) else out
    with pytest.raises(
        sparsejac.InputError, match=rf"^plan\.values: out is {told}(?s:.*)test_bad_input(?s:.*)Cure: out="
    ) as e:
        plan.values(X[None] if batch else X, out=given, batch=batch)
    assert "plan.values(X[None]" in str(e.value)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_out_is_what_comes_back(backend: Any, tmp_path: Path) -> None:
    """Also where compiled code gets its memory by another array: a memory map, a subclass without ways of its own."""

    class Named(np.ndarray[Any, Any]):
        """No other arithmetic."""

    plan = sparsejac.prepare(squares, X, backend=backend)
    mapped = np.memmap(tmp_path / "entries", dtype=np.float64, mode="w+", shape=3)
    for out in (np.empty(3), np.empty(3).view(Named), mapped):
        for _ in range(4):
            out[...] = 0.0
            assert plan.values(X, out=out) is out
            np.testing.assert_allclose(np.asarray(out), 2.0 * X[1:])
            assert plan.values(X[None], out=out[None], batch=True).base is not None


def test_arguments_of_a_plan_must_suit_f() -> None:
    """Arguments that f itself could not take are refused, not padded or cut."""
    plan = sparsejac.prepare(lambda x, w: x[1:] * w, X, np.ones(3))
    with pytest.raises((sparsejac.SparsejacError, ValueError)):
        plan(X, np.ones(2))
    with pytest.raises((sparsejac.SparsejacError, TypeError)):
        plan(X, np.ones(3), 5.0)


@pytest.mark.parametrize("argnums", [2, -3, "x"])
def test_bad_argnums(argnums: Any) -> None:
    """Argnums must be the position of an argument that comes."""
    with pytest.raises((sparsejac.SparsejacError, IndexError, TypeError), match="argnums"):
        sparsejac.jacobian(lambda t, y: y * t, argnums=argnums)(1.0, X)


@pytest.mark.parametrize("error", [KeyError("missing"), ZeroDivisionError("x"), ValueError("user"), StopIteration()])
def test_errors_of_f_come_through(error: Exception) -> None:
    """What f raises itself is the user's own business."""

    def f(x: Array) -> Any:
        y = x[1:] ** 2
        if y.size == 3:
            raise error
        return y

    for name, call in ENTRY_POINTS.items():
        with pytest.raises(type(error)) as caught:
            call(f, X)
        assert caught.value is error, name


def test_numpy_errors_of_f_come_through() -> None:
    """An f that NumPy refuses is refused in NumPy's words, or at least with an error of the same kind."""
    with pytest.raises((ValueError, sparsejac.SparsejacError), match=r"broadcast|shape"):
        sparsejac.sparse_jacobian(lambda x: x[1:] + x, X)
    with pytest.raises(IndexError):
        sparsejac.sparse_jacobian(lambda x: x[4] * x, X)
    with pytest.raises((ValueError, sparsejac.SparsejacError)):
        sparsejac.sparse_jacobian(lambda x: x.reshape(3, 2), X)
    with pytest.raises((ValueError, sparsejac.SparsejacError)):
        sparsejac.sparse_jacobian(lambda x: np.ones((2, 3)) @ x, X)


def test_wrong_number_of_arguments_is_pythons_error() -> None:
    """A missing argument of f is reported as Python does."""
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        sparsejac.sparse_jacobian(lambda x, k: x * k, X)
