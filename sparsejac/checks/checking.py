"""A Jacobian compared with slopes of the plain function, and what is wrong with it by row, column and line of f."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_array, csr_array, issparse

from sparsejac.checks.check_report import JacobianCheck
from sparsejac.checks.comparison import Check
from sparsejac.checks.plain_function import PlainFunction, args_of
from sparsejac.errors import InputError, InputTypeError, WrongJacobianError
from sparsejac.location import user_location
from sparsejac.options import check_flags
from sparsejac.signature import Signature
from sparsejac.structure import Leaf, flatten, leaves_of


def check_jacobian(
    f: Callable[..., Any],
    x: npt.ArrayLike,
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    kwargs: Mapping[str, Any] | None = None,
    jac: Any = None,
    directions: int = 4,
    rtol: float = 1e-6,
    seed: int = 0,
    complex_step: bool = True,
    raises: bool = False,
) -> JacobianCheck:
    """Compare a Jacobian with differences of the plain function, and name what is wrong.

    f is called as it is, without tracing, at points beside x along random directions. Its slopes, extrapolated until
    they settle and with an estimate of their error, have to be the products of the Jacobian with these directions.
    Where they are not, single columns are compared until the wrong and missing entries are found.

    Parameters
    ----------
    f : callable
        ``f(x, *args)``.
    x : array_like
    *args
        Further arguments of f.
    argnums, kwargs
        See `sparse_jacobian`.
    jac : array_like, sparse matrix or callable, optional
        The Jacobian to check, or what computes it, called ``jac(x, *args)``. By default that of `sparse_jacobian`.
        Where x or the result is several arrays: blocks, or one matrix of all outputs by all unknowns.
    directions : int
        Each costs about 30 evaluations of f. Half of them move each unknown in proportion to its size, the others
        move small unknowns as well.
    rtol : float
        Difference that is let pass, relative to the size of a row: the sum of the magnitudes of its terms. An entry
        that is smaller than that beside the others in its row cannot be judged.
    seed : int
        Of the directions.
    complex_step : bool
        Whether f may also be called with complex x. Slopes from there are used where they agree with differences.
    raises : bool
        Raise an error in place of returning a report that is not ok.

    Returns
    -------
    JacobianCheck

    Raises
    ------
    WrongJacobianError
        With ``raises=True``, where something was found.
    InputError
        Where the Jacobian does not have the shape (size of f's result, size of x).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import check_jacobian
    >>> def f(x):
    ...     return x[1:] ** 2 * x[:-1]
    >>> check_jacobian(f, [1.0, 2.0, 3.0]).ok
    True
    >>> report = check_jacobian(f, [1.0, 2.0, 3.0], jac=[[4.0, 4.0, 0.0], [0.0, 9.0, 0.0]])
    >>> [(finding.kind, finding.row, finding.column) for finding in report.findings]
    [('missing', 1, 2)]
    """
    check_flags("check_jacobian", complex_step=complex_step, raises=raises)
    _check_number("directions", directions, 1, whole=True)
    _check_number("rtol", rtol, 0.0)
    _check_number("seed", seed, 0, whole=True)
    signature = Signature("check_jacobian", f, argnums).checked()
    bound = signature.bind("check_jacobian", (x, *args), kwargs or {}, frozen=True)
    function = PlainFunction(bound, complex_step=complex_step)
    is_function = callable(jac) and not hasattr(jac, "matvec")  # an operator can be called as well: it multiplies
    given = function.traced_jacobian() if jac is None else jac(*args_of(bound)) if is_function else jac
    report = Check(function, _as_matrix(given, function), rtol).run(directions, np.random.default_rng(seed))
    if raises and not report.ok:
        raise WrongJacobianError(f"check_jacobian: {report}\n  {user_location()}")
    return report


def _as_matrix(given: Any, function: PlainFunction) -> csr_array[Any]:
    """A Jacobian of any sort as one sparse matrix of the right shape; explicit zeros stay."""
    outputs, inputs = leaves_of(function.outputs), leaves_of(function.inputs)
    pairs = [(output, unknowns) for output in outputs for unknowns in inputs]
    parts = [given] if len(pairs) == 1 or hasattr(given, "shape") else flatten(given, _as_block, "jac")[1]
    if len(parts) == len(pairs) > 1:
        blocks = [
            _as_real(part, (o.size, u.size), o.shape + u.shape) for part, (o, u) in zip(parts, pairs, strict=True)
        ]
        given = block_array([blocks[k : k + len(inputs)] for k in range(0, len(blocks), len(inputs))])
    axes = pairs[0][0].shape + pairs[0][1].shape if len(pairs) == 1 else function.shape
    matrix = _as_real(given, function.shape, axes)
    matrix.sum_duplicates()
    return matrix


def _as_real(given: Any, shape: tuple[int, int], axes: tuple[int, ...]) -> csr_array[Any]:
    """A Jacobian, or a block of one, that holds real numbers and has this shape; `axes` may be those of an array."""
    if not issparse(given):
        given = _as_dense(given, shape, axes)
    if given.dtype.kind not in "biuf":
        raise InputTypeError(
            f"check_jacobian: the Jacobian holds {given.dtype} values, not real numbers\n  {user_location()}\n  Cure: "
            "pass an array, a sparse matrix, or a function that gives one; of an operator, operator @ np.eye(n)."
        )
    if given.shape != shape:
        raise InputError(
            f"check_jacobian: the Jacobian has shape {given.shape}, f and x make it {shape}\n  "
            f"{user_location()}\n  Cure: one row for each element of f's result, one column for each element of x."
        )
    return csr_array(given, dtype=np.float64)


def _as_dense(given: Any, shape: tuple[int, int], axes: tuple[int, ...]) -> npt.NDArray[Any]:
    """A Jacobian that is not sparse; one with the axes of the result and those of x, or a gradient, as a matrix."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise InputError(
            f"check_jacobian: the Jacobian is not an array of numbers ({error})\n  {user_location()}\n  Cure: pass an "
            "array, a sparse matrix, or a function that gives one."
        ) from None
    if array.dtype == object and None not in array.ravel().tolist():  # code generators put numbers into such arrays
        with suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    is_line = array.ndim < 2 and 1 in shape and array.size == max(shape)
    return array.reshape(shape) if array.shape == axes or is_line else array


def _as_block(path: str, value: Any) -> tuple[Leaf, Any]:
    return Leaf(()), value


def _check_number(option: str, given: Any, least: float, *, whole: bool = False) -> None:
    kinds = int | np.integer if whole else int | float | np.number
    if isinstance(given, bool) or not isinstance(given, kinds) or not given >= least:
        what = "whole number" if whole else "number"
        raise InputError(
            f"check_jacobian: {option}={given!r} is no {what} of {least} or more\n  {user_location()}\n  Cure: leave "
            "it out, or pass one."
        )
