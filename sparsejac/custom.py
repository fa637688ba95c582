"""Rules of the user's own: functions that cannot be followed, with the derivative that their author gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, eye_array, issparse

from kernels.lazy import load
from sparsejac.arguments import content
from sparsejac.errors import InputError, InputTypeError
from sparsejac.local_products import Block, LocalProducts, Rule
from sparsejac.location import user_location
from sparsejac.patterns.pattern import Pattern
from sparsejac.tracing.base import all_plain, owner, plain
from sparsejac.tracing.calls import called, derived
from sparsejac.tracing.conversion import as_array, as_value
from sparsejac.tracing.numpy_rules.products import product_of_entries
from sparsejac.tracing.trace import Trace, untraced

Floats = npt.NDArray[np.float64]

LARGEST = 2**24
"""Entries of a local Jacobian beyond which a rule is refused, rather than filling the memory."""


def primitive(
    function: Callable[..., Any] | None = None,
    *,
    jvp: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    sparsity: Any = "dense",
    differences: bool = False,
) -> Any:
    """Give a function that cannot be followed a derivative: a C library, a table, compiled code.

    Outside of sparsejac the result is called like `function`. Inside an f that is followed, `function` is called with
    ordinary arrays, and its local Jacobian is found with `jvp` or `vjp`, as few calls as a coloring of `sparsity`
    allows.

    Parameters
    ----------
    function : callable
        ``function(*args, **options)``; positional arguments that are floats or arrays of floats can be differentiated
        by, everything else is passed on as it is. It returns one float or array of floats, and must be pure.
    jvp : callable, optional
        ``jvp(args, tangents, **options)``: the derivative of the result in the direction `tangents`, a tuple with one
        array for each positional argument, of its shape; zeros where an argument does not depend on x.
    vjp : callable, optional
        ``vjp(args, cotangent, **options)``: a tuple with the gradient of ``sum(cotangent * function(*args))`` by each
        positional argument; None for one that is never differentiated. Used where there is no `jvp`.
    sparsity : {"dense", "elementwise"}, sparse matrix, or tuple of these, optional
        Which elements of the result depend on which elements of an argument, both in C order. A tuple has one for each
        positional argument. Checked with a random direction whenever f is followed.
    differences : bool
        Whether central differences may stand in for `jvp` and `vjp`. Their error is estimated at every evaluation.

    Returns
    -------
    callable
        Without `function` a decorator that takes it.

    Raises
    ------
    InputTypeError
        If there is neither `jvp` nor `vjp`, and `differences` is not set; when called, for results that are no floats.
    InputError
        When called: for derivatives of a wrong shape, a sparsity that leaves out entries, differences that are not
        accurate.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsejac import primitive, sparse_jacobian
    >>> def slope(args, tangents):
    ...     return np.interp(args[0], [0.0, 1.0, 2.0], [1.0, 3.0, 3.0]) * tangents[0]
    >>> @primitive(jvp=slope, sparsity="elementwise")
    ... def lookup(t):
    ...     assert type(t) is np.ndarray  # as a compiled library may insist
    ...     return np.interp(t, [0.0, 1.0, 2.0], [0.0, 2.0, 5.0])
    >>> sparse_jacobian(lambda x: lookup(x) * x, np.array([0.0, 1.0])).toarray()
    array([[0., 0.],
           [0., 5.]])
    """
    if jvp is None and vjp is None and not differences:
        raise InputTypeError(
            f"primitive: there is no derivative\n  {user_location()}\n  Cure: give jvp= or vjp=, or differences=True "
            "for checked differences."
        )
    if isinstance(sparsity, str) and sparsity not in ("dense", "elementwise"):
        raise InputError(
            f"primitive: sparsity={sparsity!r}\n  {user_location()}\n  Cure: pass 'dense', 'elementwise' or a sparse "
            "matrix."
        )

    def decorate(target: Callable[..., Any]) -> Callable[..., Any]:
        made = _Primitive(Rule(target, jvp, vjp, sparsity))
        update_wrapper(made, target)
        return made

    return decorate if function is None else decorate(function)


class _Primitive:
    """A user's function with its rule, to be called in its place."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __call__(self, *args: Any, **options: Any) -> Any:
        if all_plain((args, options)):
            with untraced():
                return self.rule.function(*plain(args), **plain(options))
        trace = owner((args, options))
        assert trace is not None
        trace.begin()
        if not all_plain(options):
            raise trace.refusal(
                f"{self.rule.name} with an argument by keyword that depends on x",
                "a primitive is differentiated by positional arguments only",
                "pass it by position",
            )
        return _followed(self.rule, trace, args, options)


@dataclass(frozen=True, eq=False)
class _Bound:
    """A primitive with all that one call of it fixes: everything but the arguments that depend on x."""

    made: Rule
    fixed: tuple[Any, ...]
    traced: tuple[int, ...]
    options: dict[str, Any]

    @property
    def key(self) -> tuple[object, ...]:
        """What tells this call from others; the primitive itself is kept alive by whoever holds the key's routine."""
        contents = [content(a) if k not in self.traced else None for k, a in enumerate(self.fixed)]
        named = [(name, content(option)) for name, option in sorted(self.options.items())]
        known = repr((contents, named)).encode()
        return (id(self.made), self.traced, blake2b(known, digest_size=16).hexdigest())

    def arguments(self, operands: Sequence[npt.NDArray[Any]]) -> tuple[Any, ...]:
        """All positional arguments, with ordinary arrays (numbers, for scalars) in the place of traced ones."""
        complete = list(self.fixed)
        for k, operand in zip(self.traced, operands, strict=True):
            complete[k] = operand if operand.ndim else float(operand)
        return tuple(complete)

    def value(self, *operands: npt.NDArray[Any]) -> Floats:
        """What the function returns."""
        result = np.asarray(self.made.function(*self.arguments(operands), **self.options))
        if result.dtype.kind not in "biuf":
            raise InputTypeError(
                f"primitive: {self.made.name} returned {result.dtype}, not one array of floats\n  {user_location()}\n"
                "  Cure: return floats; of a complex result the real and the imaginary part side by side."
            )
        return result.astype(np.float64)

    def block(self, k: int, size: int, length: int) -> Block:
        """The sparsity of the local Jacobian by argument k, colored."""
        given = self.made.sparsity
        if isinstance(given, tuple):
            if len(given) != len(self.fixed):
                raise self.made.wrong(f"sparsity has {len(given)} members for {len(self.fixed)} arguments")
            given = given[k]
        if isinstance(given, str) and given == "dense" and size * length > LARGEST:
            raise self.made.wrong(f"a dense local Jacobian of shape {(size, length)}; give its sparsity")
        pattern = _canonical(given, (size, length))
        if pattern is None:
            raise self.made.wrong(f"sparsity of argument {k} does not fit a local Jacobian of shape {(size, length)}")
        coloring = load("coloring").color(pattern, "column" if self.made.by_columns else "row")
        return Block(k, pattern, np.asarray(coloring.colors), coloring.num_colors)


def _followed(made: Rule, trace: Trace, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """One call of a primitive inside f: the value, with the derivative of the rule."""
    operands = {k: as_array(trace, a) for k, a in enumerate(args) if not all_plain(a)}
    if any(operand.kind == "c" for operand in operands.values()):
        raise trace.refusal(
            f"{made.name} of complex values that depend on x",
            "a primitive has derivatives by real numbers",
            "pass real and imaginary parts",
        )
    fixed = tuple(None if k in operands else plain(a) for k, a in enumerate(args))
    bound = _Bound(made, fixed, tuple(operands), plain(options))
    (value,) = called(trace, made.name, bound.value, *operands.values(), key=bound.key)
    blocks = [bound.block(k, value.size, operand.size) for k, operand in operands.items()]
    jacobian = partial(_local_jacobian, bound, blocks, value.shape)
    entries = called(trace, f"jacobian of {made.name}", jacobian, *operands.values(), key=bound.key)
    total: Any = 0.0
    for block, data, operand in zip(blocks, entries, operands.values(), strict=True):
        flat = as_value(trace, operand.reshape(-1))
        total = total + product_of_entries(trace, block.pattern, as_value(trace, data), flat)
    return derived(trace, value, total.reshape(value.shape))


def _local_jacobian(
    bound: _Bound, blocks: Sequence[Block], shape: tuple[int, ...], *operands: npt.NDArray[Any]
) -> tuple[Floats, ...]:
    """All entries of the local Jacobian, argument by argument, as few products as there are colors."""
    by_columns = bound.made.by_columns
    products = LocalProducts(bound.made, bound.options, bound.arguments(operands), shape)
    found = []
    for block in blocks:
        compressed = products.compressed(block)
        rows, columns = _places(block.pattern)
        seeds = block.colors[columns] if by_columns else block.colors[rows]
        data = compressed[rows if by_columns else columns, seeds]
        products.check(block, data)
        found.append(data)
    return tuple(found)


def _places(pattern: csr_array) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Row and column of each entry."""
    return np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr)), np.asarray(pattern.indices)


def _canonical(given: Any, shape: tuple[int, int]) -> csr_array | None:
    """The stated sparsity as a matrix of ones; None if it does not fit."""
    if issparse(given) or isinstance(given, Pattern):
        pattern = given if isinstance(given, Pattern) else Pattern.from_scipy(given)
        ones = np.ones(pattern.nnz)
        return csr_array((ones, pattern.indices, pattern.indptr), shape=shape) if pattern.shape == shape else None
    if isinstance(given, str) and given == "elementwise":
        if shape[1] == 1:
            return csr_array(np.ones(shape))
        return csr_array(eye_array(shape[0])) if shape[0] == shape[1] else None
    if isinstance(given, str) and given == "dense":
        return csr_array(np.ones(shape))
    array: npt.NDArray[Any] = np.asarray(given)
    return csr_array(np.not_equal(array, 0).astype(np.float64)) if array.shape == shape else None
