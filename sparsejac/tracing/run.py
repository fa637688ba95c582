"""Run f once on traced arguments and take what it did as a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from sparsejac.addressing import c_strides
from sparsejac.errors import UntraceableError
from sparsejac.location import NOWHERE, location_of
from sparsejac.program import Node, Program, program
from sparsejac.structure import Leaf, Structure
from sparsejac.tracing.conversion import wrap
from sparsejac.tracing.reals import Scalar, Value, Vector
from sparsejac.tracing.results import Rebuild, auxiliary, outputs
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
    result : Leaf or Branch
        Shapes of f's result, and how its arrays belong together.
    rebuild : callable
        From the numbers of the program's auxiliary node to what f returned beside its result.
    """

    program: Program
    constants: list[Floats]
    result: Structure
    rebuild: Rebuild

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of f's result; of several arrays, that of the vector in which they stand side by side."""
        return self.result.shape if isinstance(self.result, Leaf) else (self.program.output.size,)


def run(
    f: Callable[..., Any],
    arguments: Sequence[Any],
    differentiated: int | Sequence[int],
    operands: Sequence[int] = (),
    *,
    call: Callable[..., Any] | None = None,
    has_aux: bool = False,
) -> Traced:
    """Trace one call ``f(*arguments)``.

    Parameters
    ----------
    f : callable
    arguments : sequence
        Those at `differentiated` are float64 arrays or floats.
    differentiated : int or sequence of int
        Positions of the arguments to differentiate by; they stand side by side in the first input.
    operands : sequence of int
        Positions of further float arguments that are run-time operands; the others are constants of the trace.
    call : callable, optional
        What calls f with the arguments, if they are but parts of its own.
    has_aux : bool
        Whether the call returns a pair: the result, and something beside it.
    """
    trace = Trace()
    trace.graph.site = NOWHERE
    chosen = [differentiated] if isinstance(differentiated, int) else differentiated
    placed = _placed(trace, arguments, chosen, operands)
    try:
        with routed(trace, f):
            trace.graph.site = None
            try:
                result = (call or f)(*placed)
            except Exception as error:
                told = _told(trace, error)
                if told is error:
                    raise
                raise told from error
            trace.graph.site = NOWHERE
            if trace.first_refusal is not None:
                raise trace.first_refusal
            result, beside = result if has_aux else (result, None)
            output, structure = outputs(trace, result)
            aux, rebuild = auxiliary(trace, beside)
        if trace.first_refusal is not None:
            raise trace.first_refusal
        made = program(trace.graph, output, trace.all_decisions(), aux)
        return Traced(made, [trace.graph.constants[slot] for slot in made.constants], structure, rebuild)
    finally:
        trace.close()


def _placed(
    trace: Trace, arguments: Sequence[Any], differentiated: Sequence[int], operands: Sequence[int]
) -> list[Any]:
    """The arguments of f as f sees them."""
    placed = list(arguments)
    points = [np.array(arguments[k], dtype=np.float64) for k in differentiated]
    node = trace.input(np.concatenate([np.empty(0), *(point.reshape(-1) for point in points)]), active=True)
    start = 0
    for k, point in zip(differentiated, points, strict=True):
        placed[k] = _seen(trace, node, start, arguments[k])
        start += point.size
    for k in operands:
        flat = np.array(arguments[k], dtype=np.float64).reshape(-1)
        placed[k] = _seen(trace, trace.input(flat, active=False), 0, arguments[k])
    return placed


def _seen(trace: Trace, node: Node, start: int, argument: Any) -> Any:
    """An argument as f sees it: a part of an input."""
    if not isinstance(argument, np.ndarray):
        return TracedScalar(trace, Value(Scalar(trace.tape.element(node.index, start))))
    shape = argument.shape
    return wrap(trace, Value(Vector(node, Affine(shape, start, c_strides(shape)))), scalar=False)


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
