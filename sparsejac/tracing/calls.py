"""Functions of whole arrays that are run as they are, and the derivative that a rule gives them.

A library's function is called with ordinary arrays and knows nothing of derivatives: its results do not depend
differentiably on x. A rule then says `derived(value, surrogate)`: a value with the derivative of an expression
that may be any traced NumPy code. For the inverse matrix, say, X = called(inv, A), and the derivative of X is that of
-X @ A @ X where X is held fixed, which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.location import user_site
from sparsejac.programs.addressing import contiguous
from sparsejac.programs.program import CallRule, Decision, Load, Node, Program, Routine
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.reals import NumberKind, Value, Vector
from sparsejac.tracing.trace import Trace, untraced

Floats = npt.NDArray[np.float64]

SUCCESSORS = Lazy("sparsejac.tracing.successors")  # few calls are differentiated twice


@dataclass(frozen=True)
class _Form:
    """Shape and kind of an operand or a result."""

    shape: tuple[int, ...]
    kind: NumberKind

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def parts(self) -> int:
        """Real vectors that it consists of."""
        return 2 if self.kind == "c" else 1


class _Steps:
    """The rule of results that are constant but for jumps, or that get their derivative from `derived` alone.

    Unlike results without a rule they do not move where they stand in a surrogate, which may be differentiated again.
    """

    differentiable: tuple[int, ...] = ()
    inner: tuple[Program, ...] = ()

    def push(
        self,
        builder: Any,
        node: Node,
        tangents: Mapping[int, Load],
        seeds: int | None,
        *,
        guarded: bool,
        again: bool = False,
    ) -> None:
        """No tangents, as of `CallRule`."""

    def pull(self, builder: Any, node: Node, operand: int, cotangent: Load) -> Load:
        """Never asked."""
        raise AssertionError(f"{node.routine} is linear in no operand")

    def explicit(self, builder: Any, node: Node, loads: tuple[Load, ...], source: Node) -> Node:
        """The results as they are, as of `CallRule`."""
        return node


STEPS: CallRule = _Steps()


def called(
    trace: Trace,
    name: str,
    function: Callable[..., Any],
    *operands: Any,
    key: tuple[object, ...] = (),
    rule: CallRule | None = None,
    again: Callable[..., Any] | None = None,
    examples: bool = False,
) -> tuple[TracedArray, ...]:
    """The results of a function of whole arrays, as traced arrays that depend differentiably on x by `rule` alone.

    The function is run at once, so that what it raises comes where f's author expects it. If f catches the error, that
    it was raised is a decision.

    Parameters
    ----------
    trace : Trace
    name : str
        Name of the function, for readers and for the digest.
    function : callable
        Takes ordinary arrays in the place of `operands`, returns an array or a tuple of them. It must be pure, and
        determined by `name`, `key`, and the shapes of the operands.
    *operands : array_like
        Traced or plain, real or complex; plain ones become constants of the program.
    key : tuple
        Options of the function: whatever its results depend on besides the operands. Its text enters the digest.
    rule : CallRule, optional
        How it is differentiated; only for real operands and results.
    again : callable, optional
        How the results are differentiated where they are held fixed in a surrogate, which is differentiated again: gets
        the trace and arrays in the place of `operands`, returns the same results as expressions with derivatives, of
        which `name`, `key` and the shapes of the operands say all.
    examples : bool
        Whether `again` is to be followed on operands like these, and not on arrays of equal numbers.
    """
    values = [as_value(trace, operand) for operand in operands]
    forms = tuple(_Form(value.shape, value.kind) for value in values)
    loads = tuple(trace.vector(part, value.shape).load for value in values for part in parts_of(value))
    present = _assembled(forms, [trace.peek(Vector(load.node, load.address)) for load in loads])
    try:
        with np.errstate(all="ignore"), untraced():
            results = _as_tuple(function(*present))
    except Exception as error:
        _decide_raised(trace, name, function, forms, loads, key, error)
        raise
    shown = tuple(_Form(r.shape, "c" if r.dtype.kind == "c" else "b" if r.dtype.kind == "b" else "f") for r in results)

    def run(*arrays: Floats) -> Floats:
        return _flat(_as_tuple(function(*_assembled(forms, arrays))))

    moving = tuple(any(trace.is_active(part) for part in parts_of(value)) for value in values)
    given = tuple(array if examples or not array.size else array.reshape(-1)[:1] for array in present)
    successor = None if again is None else Successor(name, (*key, forms), forms, moving, again, given)
    routine = Routine(name, (*key, forms), run, rule, successor)
    node = trace.graph.call(routine, sum(s.size * s.parts for s in shown), loads)
    trace.know(node, _flat(results))
    return _outputs(trace, node, shown)


@dataclass(frozen=True, eq=False)
class Successor:
    """The results of a call as expressions; see `program.Successor`.

    Parameters
    ----------
    name : str
    key : tuple
        What tells the call from others.
    forms : tuple of _Form
        Of the operands.
    moving : tuple of bool
        Which operands depend differentiably on x.
    again : callable
        See `called`.
    examples : tuple of array
        Operands to follow it on; one number stands for an array of equal ones.
    """

    name: str
    key: tuple[object, ...]
    forms: tuple[_Form, ...]
    moving: tuple[bool, ...]
    again: Callable[..., Any]
    examples: tuple[npt.NDArray[Any], ...]

    def template(self) -> tuple[Program, list[Floats]]:
        """Followed once for all calls of this name and key."""
        found: tuple[Program, list[Floats]] = SUCCESSORS.template_of(self)
        return found


def derived(trace: Trace, value: Any, surrogate: Any) -> Any:
    """The value of one expression with the derivative of another of the same shape."""
    a, b = as_value(trace, value), as_value(trace, surrogate)
    if a.shape != b.shape:
        raise ValueError(f"a value of shape {a.shape} cannot have the derivative of one of shape {b.shape}")
    if a.kind != "c":
        return wrap(trace, Value(trace.apply("derived", a.real, b.real)))
    parts = zip(parts_of(a), (b.real, b.imag if b.imag is not None else 0.0), strict=True)
    return wrap(trace, Value.of([trace.apply("derived", p, s) for p, s in parts], "c"))


def kept_fixed(trace: Trace, value: Any) -> Any:
    """A value that is fixed in a surrogate; it moves where the surrogate is differentiated again."""
    return wrap(trace, as_value(trace, value).each(lambda part: trace.apply("hold", part)))


def stopped(trace: Trace, value: Any) -> Any:
    """A value without its derivative."""
    return wrap(trace, as_value(trace, value).each(lambda part: trace.apply("stop", part)))


def parts_of(value: Value) -> tuple[Any, ...]:
    """The real part, and the imaginary one of complex values."""
    return (value.real, value.imag if value.imag is not None else 0.0) if value.kind == "c" else (value.real,)


def _as_tuple(results: Any) -> tuple[npt.NDArray[Any], ...]:
    return tuple(np.asarray(r) for r in (results if isinstance(results, tuple) else (results,)))


def _assembled(forms: Sequence[_Form], arrays: Sequence[Floats]) -> list[npt.NDArray[Any]]:
    """Arrays as the function takes them: complex ones from their parts, truth values as such."""
    rest = iter(arrays)
    whole: list[npt.NDArray[Any]] = []
    for form in forms:
        array = np.array(next(rest)).reshape(form.shape)
        if form.kind == "c":
            array = array + 1j * np.asarray(next(rest)).reshape(form.shape)
        whole.append(array != 0.0 if form.kind == "b" else array)
    return whole


def _flat(results: Sequence[npt.NDArray[Any]]) -> Floats:
    parts = [part for r in results for part in ((r.real, r.imag) if r.dtype.kind == "c" else (r,))]
    return np.concatenate([np.asarray(part, dtype=np.float64).reshape(-1) for part in parts] or [np.empty(0)])


def _outputs(trace: Trace, node: Node, forms: Sequence[_Form]) -> tuple[TracedArray, ...]:
    outputs, offset = [], 0
    for form in forms:
        parts = []
        for _ in range(form.parts):
            parts.append(Vector(node, Affine(form.shape, offset, contiguous(form.shape).strides)))
            offset += form.size
        outputs.append(wrap(trace, Value.of(parts, form.kind), scalar=False))
    return tuple(outputs)


def _decide_raised(
    trace: Trace,
    name: str,
    function: Callable[..., Any],
    forms: tuple[_Form, ...],
    loads: tuple[Load, ...],
    key: tuple[object, ...],
    error: Exception,
) -> None:
    """Record that the function raised: an f that catches the error goes another way elsewhere."""

    def raises(*arrays: Floats) -> Floats:
        try:
            function(*_assembled(forms, arrays))
        except type(error):
            return np.ones(1)
        return np.zeros(1)

    routine = Routine(f"{name} raises {type(error).__name__}", (*key, forms), raises)
    node = trace.graph.call(routine, 1, loads)
    trace.know(node, np.ones(1))
    trace.decisions.append(Decision(node, np.ones(1), (user_site(),)))
