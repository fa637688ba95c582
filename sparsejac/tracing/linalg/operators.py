"""What the rules of linear algebra share: operands, results that are constant for constants, triangles, limits."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import called, derived, kept_fixed
from sparsejac.tracing.conversion import as_array, as_value
from sparsejac.tracing.trace import Trace

Array = npt.NDArray[Any]

scipy_linalg = Lazy("scipy.linalg")

LIMIT = 4_000_000
"""The most products that the derivative of one call may be made of."""

EPSILON = float(np.finfo(np.float64).eps)


def operand(trace: Trace, a: Any, name: str = "linear algebra") -> Any:
    """An argument as a traced array, or as an ordinary one of double precision if it does not depend on x."""
    if all_plain(a):
        array = np.asarray(plain(a))
        return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    traced = as_array(trace, a)
    if traced.kind in "hs":
        raise trace.refusal(
            f"{name} in {traced.dtype} on values that depend on x",
            "its rules are written for double precision",
            "convert with astype(np.float64) before",
        )
    return traced * 1.0 if traced.kind in "bi" else traced


Again = Callable[..., Any]
"""Gets the trace and operands; returns what a function gives as expressions that have derivatives; see `called`."""


def results(
    trace: Trace,
    name: str,
    function: Callable[..., Any],
    *operands: Any,
    key: tuple[object, ...] = (),
    again: Again | None = None,
) -> tuple[Any, ...]:
    """What a function gives, without a derivative: ordinary arrays where no operand depends on x.

    The zeros of such constants sharpen the pattern. See `called` for the arguments.
    """
    if not all_plain(operands):
        return called(trace, name, function, *operands, key=key, again=again, examples=True)
    with np.errstate(all="ignore"):
        found = function(*operands)
    return tuple(map(np.asarray, found if isinstance(found, tuple) else (found,)))


def result(
    trace: Trace,
    name: str,
    function: Callable[..., Any],
    *operands: Any,
    key: tuple[object, ...] = (),
    again: Again | None = None,
) -> Any:
    """The one array that a function gives, without a derivative; see `results`."""
    return results(trace, name, function, *operands, key=key, again=again)[0]


def step(trace: Trace, name: str, function: Callable[..., Any], *operands: Any, key: tuple[object, ...] = ()) -> Any:
    """The same of a function whose derivative is zero wherever it exists."""

    def again(trace: Trace, *operands: Any) -> Any:
        return step(trace, name, function, *operands, key=key)

    return result(trace, name, function, *operands, key=key, again=again)


def held(trace: Trace, a: Any) -> Any:
    """An array that is fixed in a surrogate."""
    return a if all_plain(a) else kept_fixed(trace, a)


def decided(trace: Trace, number: Any) -> Array:
    """The numbers of something on which the way through f depends; recorded if it depends on x."""
    return np.asarray(number) if all_plain(number) else trace.decide(as_value(trace, number).real)


def check_size(trace: Trace, name: str, *factors: int) -> None:
    """Refuse a call whose derivative would be made of too many products."""
    if prod(factors) > LIMIT:
        raise trace.refusal(
            f"{name} of this size",
            f"its derivative is made of {prod(factors):,} products, and the limit is {LIMIT:,}",
            "add the unknowns of the inner system to x and its equations to f",
        )


def is_complex(a: Any) -> bool:
    """Whether an array, traced or not, is complex."""
    return bool(np.dtype(a.dtype).kind == "c")


def transpose(a: Any) -> Any:
    """Matrices with rows and columns exchanged."""
    return np.swapaxes(a, -1, -2)


def adjoint(a: Any) -> Any:
    """Transposed and conjugated matrices."""
    return np.conj(transpose(a)) if is_complex(a) else transpose(a)


def diagonal(a: Any) -> Any:
    """The diagonals of matrices."""
    return np.diagonal(a, 0, -2, -1)


def triangle(a: Any, lower: bool, strict: bool = False) -> Any:
    """The part of matrices on one side of the diagonal."""
    return np.tril(a, -int(strict)) if lower else np.triu(a, int(strict))


def hermitian(a: Any, lower: bool) -> Any:
    """The symmetric or Hermitian matrix of which functions read one triangle only."""
    half = triangle(a, lower, strict=True)
    middle = (np.real(a) if is_complex(a) else a) * np.eye(a.shape[-1])
    return half + adjoint(half) + middle


def inverse(trace: Trace, a: Any) -> Any:
    """The inverse as a factor of derivatives: NaN where there is none."""
    return inverse_of(trace, "inverse", lambda m: m, a)


def inverse_of(trace: Trace, name: str, build: Callable[..., Any], *operands: Any) -> Any:
    """The inverse of a matrix that is built of others, as a factor of derivatives: NaN where there is none."""

    def call(*arrays: Array) -> Array:
        return inverse_or_nan(build(*arrays))

    def again(trace: Trace, *operands: Any) -> Any:
        found = inverse_of(trace, name, build, *operands)
        check_size(trace, name, *found.shape, found.shape[-1])
        return derived(trace, found, -found @ (build(*operands) @ found))

    return result(trace, name, call, *operands, again=again)


def inverse_or_nan(a: Array) -> Array:
    """Inverse matrices; NaN in the place of those that do not exist.

    >>> inverse_or_nan(np.array([[[2.0]], [[0.0]]])).ravel().tolist()
    [0.5, nan]
    """
    try:
        return np.asarray(np.linalg.inv(a))
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(a, np.nan)
        return np.stack([inverse_or_nan(part) for part in a])
