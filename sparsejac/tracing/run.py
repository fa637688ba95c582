"""Run f once on traced arguments and take what it did as a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.addressing import contiguous
from sparsejac.errors import InputTypeError, UntraceableError
from sparsejac.location import location_of
from sparsejac.program import Program, program
from sparsejac.tracing.base import all_plain, is_traced, plain
from sparsejac.tracing.conversion import as_array, flat_node, wrap
from sparsejac.tracing.reals import Scalar, Value, Vector
from sparsejac.tracing.routing import routed
from sparsejac.tracing.scalar import TracedScalar
from sparsejac.tracing.trace import Trace

Floats = npt.NDArray[np.float64]

_MET_BY_COMPILED_CODE = ("TracedArray", "TracedScalar", "NPY_ITER_REFS_OK")
"""What the messages of compiled code hold when it got one of ours where it wants an ordinary array."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A Program with the numbers it was traced with.

    Parameters
    ----------
    program : Program
    constants : list of array
        Values of the program's constants: what f captured.
    shape : tuple of int
        Shape of f's result.
    """

    program: Program
    constants: list[Floats]
    shape: tuple[int, ...]


def traced_input(trace: Trace, values: npt.NDArray[Any], *, active: bool, scalar: bool = False) -> Any:
    """An argument of f as f sees it."""
    flat = np.array(values, dtype=np.float64).reshape(-1)
    node = trace.input(flat, active=active)
    if scalar:
        return TracedScalar(trace, Value(Scalar(trace.tape.element(node.index, 0))))
    return wrap(trace, Value(Vector(node, contiguous(values.shape))), scalar=False)


def run(
    f: Callable[..., Any],
    arguments: Sequence[Any],
    differentiated: int,
    operands: Sequence[int] = (),
) -> Traced:
    """Trace one call ``f(*arguments)``.

    Parameters
    ----------
    f : callable
    arguments : sequence
        The argument at `differentiated` is a float64 array.
    differentiated : int
        Position of the argument to differentiate by.
    operands : sequence of int
        Positions of further float arguments that are run-time operands; the others are constants of the trace.
    """
    trace = Trace()
    call = list(arguments)
    point = arguments[differentiated]
    call[differentiated] = traced_input(trace, np.asarray(point), active=True, scalar=not isinstance(point, np.ndarray))
    for k in operands:
        scalar = not isinstance(arguments[k], np.ndarray)
        call[k] = traced_input(trace, np.asarray(arguments[k]), active=False, scalar=scalar)
    try:
        with routed(trace, f):
            try:
                result = f(*call)
            except Exception as error:
                told = _told(trace, error)
                if told is error:
                    raise
                raise told from error
            if trace.first_refusal is not None:
                raise trace.first_refusal
            output, shape = _output(trace, result)
        if trace.first_refusal is not None:
            raise trace.first_refusal
        decisions = trace.all_decisions()
        made = program(trace.graph, output, decisions)
        return Traced(made, [trace.graph.constants[slot] for slot in made.constants], shape)
    finally:
        trace.close()


def _told(trace: Trace, error: Exception) -> Exception:
    """What to raise for an error of f: our own refusal if there was one, or if compiled code met a traced value."""
    if trace.first_refusal is not None and trace.first_refusal is not error:
        return trace.first_refusal
    if isinstance(error, TypeError | ValueError) and any(sign in str(error) for sign in _MET_BY_COMPILED_CODE):
        return UntraceableError(
            f"sparsejac cannot follow a call of compiled code that takes ordinary arrays only ({error})\n  "
            f"{location_of(error)}\n  Cure: write it with NumPy's functions if it depends on x; else make its "
            "arguments outside f."
        )
    return error


def _output(trace: Trace, result: Any) -> tuple[Any, tuple[int, ...]]:
    """The result of f as one node."""
    if result is None:
        raise InputTypeError("sparsejac: f returned None. Cure: return the residual (f must not only write in place).")
    if not is_traced(result):
        result = _plain_result(trace, result)
    array = as_array(trace, result)
    if array.dtype.kind == "c":
        raise InputTypeError(
            "sparsejac: f returned complex values, whose derivative by a real x is not one matrix. Cure: return "
            "np.concatenate([y.real, y.imag])."
        )
    value = array.value
    return flat_node(trace, trace.vector(value.real)), array.shape


def _plain_result(trace: Trace, result: Any) -> Any:
    if isinstance(result, list | tuple) and not all_plain(result):
        try:
            return as_array(trace, list(result))
        except ValueError as error:
            raise _ragged(error) from None
    try:
        array = np.asarray(plain(result))
    except ValueError as error:
        raise _ragged(error) from None
    if array.dtype.kind == "O" and array.ndim and not all_plain(array.tolist()):
        return as_array(trace, array)
    if array.dtype.kind not in "biufc":
        raise InputTypeError(
            f"sparsejac: f returned {type(result).__name__} (dtype {array.dtype}), not numbers. Cure: return an array "
            "of floats."
        )
    return array


def _ragged(error: ValueError) -> InputTypeError:
    return InputTypeError(
        f"sparsejac: f returned a ragged list ({error}). Cure: return one array, np.concatenate of the parts."
    )
