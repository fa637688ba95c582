"""Run f once on traced arguments and take what it did as a Program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.garbage import rare_collections
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.errors import SparsejacError, UntraceableError
from sparsejac.location import NOWHERE, UNKNOWN, definition_of, location_of
from sparsejac.programs.addressing import c_strides, contiguous
from sparsejac.programs.program import Node, Program, program
from sparsejac.structure import Leaf, Structure
from sparsejac.tracing.array import TracedArray
from sparsejac.tracing.casting import peek
from sparsejac.tracing.conversion import wrap
from sparsejac.tracing.families import LIBRARIES
from sparsejac.tracing.reals import Scalar, Value, Vector
from sparsejac.tracing.results import Rebuild, auxiliary, outputs
from sparsejac.tracing.routing import routed, seen_by_f
from sparsejac.tracing.scalar import TracedScalar
from sparsejac.tracing.trace import Trace

if TYPE_CHECKING:
    from sparsejac.tracing.work import WorkArrays
    from sparsejac.transforms.symmetric import HessianOf

WORK = Lazy("sparsejac.tracing.work")  # few f overwrite what they captured
Floats = npt.NDArray[np.float64]

_MET_BY_COMPILED_CODE = (
    *("TracedArray", "TracedScalar", "NPY_ITER_REFS_OK", "loop of ufunc does not support argument"),
    *("output must be an array", "out must be a numpy array", "Supplied output array must be"),
    "__array__ method",
)
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
    hessian : HessianOf, optional
        What the Program is the gradient of, if it is one whose Jacobian is wanted as a Hessian.
    """

    program: Program
    constants: list[Floats]
    result: Structure
    rebuild: Rebuild
    hessian: HessianOf | None = None

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
    used: Sequence[Any] = (),
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
    used : sequence
        Further arguments that `call` hands to f.
    """
    chosen = [differentiated] if isinstance(differentiated, int) else differentiated
    following = _Following(f, call, arguments, chosen, operands, has_aux, used)
    loaded = len(sys.modules)
    with rare_collections():
        try:
            return following.anyhow()
        except UntraceableError:
            if LIBRARIES.keys().isdisjoint(islice(sys.modules, loaded, None)):
                raise
            return following.anyhow()  # f itself imported a library, whose names have rules from now on


@dataclass(eq=False)
class _Following:
    """How f is called, see `run`, and whether it last wrote into arrays that are not its own."""

    f: Callable[..., Any]
    call: Callable[..., Any] | None
    arguments: Sequence[Any]
    differentiated: Sequence[int]
    operands: Sequence[int]
    has_aux: bool
    used: Sequence[Any]
    wrote_outside: bool = False

    def anyhow(self) -> Traced:
        """One run of f, or several, where it writes into arrays that are not its own."""
        try:
            return self.once()
        except Exception:
            if not self.wrote_outside:
                raise
            traced = self.with_work_arrays()
            if traced is None:
                raise
            return traced

    def once(self, work: WorkArrays | None = None) -> Traced:
        """One run of f, or another one in its place where that has to look at more: see `Trace`."""
        trace = Trace()
        while True:
            try:
                return self._observed(trace, work)
            except _AgainError as again:
                trace = Trace(strict=again.strict, packs_lists=again.packs_lists)
            finally:
                self.wrote_outside = trace.wrote_outside

    def with_work_arrays(self) -> Traced | None:
        """Runs of f with arrays of ours in the places of arrays that it captured; None if that is of no use."""
        work: WorkArrays = WORK.WorkArrays.of(self.f, *self.used)
        with suppress(Exception):
            traced = self.once(work)
            if not work.written:
                return traced
        if not work.written:
            return None
        work.watched = work.written.copy()
        for only_watched in (True, False):
            work.only_watched = only_watched
            try:
                return self.once(work)
            except UntraceableError:
                if not only_watched or not self.wrote_outside:
                    raise
            except Exception:
                return None
        return None

    def _observed(self, trace: Trace, work: WorkArrays | None) -> Traced:
        trace.graph.site = NOWHERE
        trace.function = self.f
        placed = _placed(trace, self.arguments, self.differentiated, self.operands)
        try:
            with routed(trace, self.f, *self.used) as attributes:
                with nullcontext() if work is None else work.replaced(trace):
                    result = self._result(trace, placed)
                output, structure = outputs(trace, result[0])
                aux, rebuild = auxiliary(trace, result[1])
            if trace.first_refusal is not None:
                raise trace.first_refusal
            made = program(trace.graph, output, trace.all_decisions(), aux)
            _leave_numbers(trace, attributes)
            return Traced(made, [trace.graph.constants[slot] for slot in made.constants], structure, rebuild)
        finally:
            trace.close()

    def _result(self, trace: Trace, placed: list[Any]) -> tuple[Any, Any]:
        """What f returned, and what it returned beside that."""
        trace.graph.site = None
        try:
            result = (self.call or seen_by_f(self.f))(*placed)
        except Exception as error:
            again = _AgainError.of(trace)
            if again is not None:
                raise again from None
            told = _told(trace, error)
            if told is error:
                raise
            raise told from error
        trace.graph.site = NOWHERE
        again = _AgainError.of(trace)
        if again is not None:
            raise again
        if trace.first_refusal is not None:
            raise trace.first_refusal
        return result if self.has_aux else (result, None)


class _AgainError(Exception):
    """Another run of f has to look at more than this one: see `Trace`."""

    def __init__(self, *, strict: bool, packs_lists: bool) -> None:
        super().__init__()
        self.strict = strict
        self.packs_lists = packs_lists

    @staticmethod
    def of(trace: Trace) -> _AgainError | None:
        """What has to be looked at after a run; None if nothing has."""
        raises = not trace.strict and trace.math_errors()
        if not raises and not trace.met_lists:
            return None
        return _AgainError(strict=trace.strict or raises, packs_lists=trace.packs_lists or trace.met_lists)


def _leave_numbers(trace: Trace, attributes: list[dict[str, Any]]) -> None:
    """Put ordinary arrays in the place of buffers that f made and keeps for its next call."""
    memories: dict[int, npt.NDArray[Any]] = {}
    for names in attributes:
        for name, value in names.items():
            if type(value) is TracedArray and value.tracer is trace and value.storages[0].is_buffer:
                names[name] = value.window if value.is_plain else _numbers(trace, value, memories)


def _numbers(trace: Trace, array: TracedArray, memories: dict[int, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What an array holds, as an ordinary array; views of one array share memory."""
    key = id(array.storages[0])
    if key not in memories:
        whole = Value.of([storage.read(contiguous((storage.size,))) for storage in array.storages], array.kind)
        memories[key] = peek(trace, whole).astype(array.dtype)
    address, item = array.address, array.itemsize
    strides = tuple(stride * item for stride in address.strides)
    return np.ndarray(array.shape, array.dtype, memories[key], address.offset * item, strides)


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
    if isinstance(error, SparsejacError):
        return error
    if trace.gave_objects and isinstance(error, ArithmeticError | AttributeError | TypeError):
        return UntraceableError(
            f"sparsejac cannot follow an operation of a list in which some numbers depend on x ({error})\n  "
            f"{location_of(error)}\n  Cure: make an array of the list first: np.exp(np.array([x[0], 1.0]))."
        )
    if isinstance(error, TypeError | ValueError) and any(sign in str(error) for sign in _MET_BY_COMPILED_CODE):
        place = location_of(error)
        if "__array__ method" in str(error):
            return UntraceableError(
                f"sparsejac cannot follow NumPy's own conversion of an object to an ordinary array ({error})\n  {place}"
                "\n  Cure: convert it before the call, which is followed: np.sin(np.asarray(a)) in place of np.sin(a)."
            )
        return UntraceableError(
            f"sparsejac cannot follow a call of compiled code that takes ordinary arrays only ({error})\n  "
            f"{definition_of(trace.function) if place == UNKNOWN else place}\n  Cure: write it with NumPy's functions "
            "if it depends on x, without functools.cache; else make its arguments outside f."
        )
    return error
