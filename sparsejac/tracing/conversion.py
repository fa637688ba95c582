"""From what f's author writes to values, and from values to what f's author sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.errors import UntraceableError
from sparsejac.foreign import computes_otherwise
from sparsejac.programs.addressing import contiguous, covers
from sparsejac.programs.program import Node
from sparsejac.tracing.array import TracedArray, plain_array
from sparsejac.tracing.base import FOLLOWED, OF_OBJECTS, SEQUENCES, all_plain, given_as_array, is_traced, plain
from sparsejac.tracing.casting import DTYPES, cast, check_same_kind, counts, dtype_of_integers, whole
from sparsejac.tracing.reals import NumberKind, Real, Scalar, Value, Vector
from sparsejac.tracing.registry import HOOKS, hook
from sparsejac.tracing.scalar import TracedScalar, scalar_of
from sparsejac.tracing.storage import Storage
from sparsejac.tracing.trace import Trace

_empty = np.empty
"""NumPy's own also while f runs: it is called for each result, and a route looks at the caller."""


def as_value(trace: Trace, obj: Any) -> Value:
    """Anything that NumPy takes as an array, as a value."""
    if type(obj) is TracedScalar:
        _check_owner(trace, obj)
        return obj.value
    if type(obj) is TracedArray:
        if obj.is_plain:
            return array_value(trace, obj.window)
        _check_owner(trace, obj)
        return obj.value
    if type(obj) in (float, int):
        return Value(float(obj))
    if isinstance(obj, SEQUENCES):
        return list_value(trace, obj)
    array = given_as_array(obj)
    if array is not obj and is_traced(array):
        return as_value(trace, array)
    return array_value(trace, _ordinary(trace, array))


def _ordinary(trace: Trace, obj: Any) -> npt.NDArray[Any]:
    """An object as an ordinary array, if it computes as one."""
    if type(obj) not in _ORDINARY and computes_otherwise(type(obj)):
        raise trace.refusal(
            f"a combination with a {type(obj).__module__}.{type(obj).__name__}".replace("numpy.", "np.", 1),
            "it computes in ways of its own (the product of matrices, masks, units, labels)",
            "make an ordinary array of it: A.toarray() in place of A.todense(), np.asarray(M), "
            "masked.filled(0.0), series.to_numpy()",
        )
    return np.asarray(obj)


_ORDINARY = frozenset([np.ndarray, np.memmap, np.float64, np.int64, np.bool_, np.complex128, bool, complex])


def _check_owner(trace: Trace, obj: TracedArray | TracedScalar) -> None:
    """Refuse what another run of f left behind: its rows and nodes mean something else here."""
    if obj.tracer is not trace:
        obj.tracer.begin()
        raise trace.refusal("a value of another trace", "two calls of sparsejac are mixed", FOLLOWED)


def array_value(trace: Trace, array: npt.NDArray[Any]) -> Value:
    """An ordinary array or number as a value; arrays are copied."""
    if array.dtype.kind == "O":
        items = array.tolist()
        if not all_plain(items):
            return list_value(trace, items) if array.ndim else as_value(trace, items)
        array = numbers_of(array)
    if array.dtype.kind not in "biufc":
        raise trace.refusal(
            f"a combination with {'text' if array.dtype.kind in 'US' else f'an array of dtype {array.dtype}'}",
            "only numbers can be combined with values that depend on x",
            "convert it to floats before",
        )
    kind: NumberKind = "c" if array.dtype.kind == "c" else "b" if array.dtype.kind == "b" else "f"
    parts = [array.real, array.imag] if kind == "c" else [array]
    if array.ndim == 0:
        return Value.of([float(part) for part in parts], kind)
    return Value.of([Vector(trace.constant(np.asarray(p)), contiguous(array.shape)) for p in parts], kind)


def numbers_of(objects: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array of objects as one of numbers, if it holds nothing else: as NumPy's object arrays of lists may."""
    numbers = np.array(plain(objects.tolist()))
    return numbers if numbers.dtype.kind in "biufc" and numbers.shape == objects.shape else objects


def list_value(trace: Trace, items: Any) -> Value:
    """A nested list, possibly of traced values, as one array."""
    if all_plain(items):
        return array_value(trace, np.array(plain(items)))
    packed: Value = HOOKS["pack"](trace, items)
    return packed


@hook("as_array")
def as_array(trace: Trace, obj: Any) -> TracedArray:
    """Anything as a traced array; a traced array as it is."""
    obj = given_as_array(obj)
    if type(obj) is TracedArray:
        return plain_array(trace, obj.window) if obj.is_plain and obj.tracer is not trace else obj
    if all_plain(obj) and not (isinstance(obj, np.ndarray) and obj.dtype.kind == "O"):
        return plain_array(trace, np.array(_ordinary(trace, plain(obj))))
    value = as_value(trace, obj)
    if not value.is_vector:
        value = value.each(lambda part: trace.vector(part, ()))
    array: TracedArray = wrap(trace, value, scalar=False)
    return array


def wrap(trace: Trace, value: Value, *, scalar: bool = True) -> Any:
    """What the user gets for a value: an array, or a scalar where NumPy gives one (unless `scalar` is False)."""
    if not value.is_vector:
        return scalar_of(trace, value)
    shape = value.shape
    if not shape and scalar:
        return TracedScalar(trace, value.each(lambda part: _tape_scalar(trace, part)))
    size = value.size
    # Only where places lie matters; the parts of a complex array have gaps, as in NumPy.
    memory = _empty(size, np.complex64 if value.kind == "c" else np.int8)
    nodes = [flat_node(trace, trace.vector(part, shape)) for part in value.parts]
    storages = tuple([Storage(trace, size, node=node) for node in nodes])
    address = contiguous(shape) if size else None
    return TracedArray(trace, storages, memory.reshape(shape), memory, DTYPES[value.kind], address)


@hook("in_dtype")
def in_dtype(trace: Trace, value: Value, dtype: np.dtype[Any], *, scalar: bool = False) -> Any:
    """What the user gets for a value that was converted to another dtype."""
    if dtype.kind in "iu" and not counts(value, dtype):
        numbers = whole(trace, value, dtype)
        return numbers[()] if scalar and not numbers.ndim else plain_array(trace, numbers)
    result = wrap(trace, cast(trace, value, dtype), scalar=scalar)
    if type(result) is TracedArray:
        result.retyped(dtype)
    return result


def kept_whole(trace: Trace, result: Any, *operands: Any, computed: str | None = None) -> Any:
    """A result as integers where all operands are: what was moved, or just `computed` of them, without a rounding."""
    dtype = dtype_of_integers(*operands) if is_traced(result) and result.kind == "f" else None
    if dtype is None:
        return result
    if computed is not None and dtype.itemsize < 4:
        raise trace.refusal(
            f"{computed} of narrow integers that depend on x",
            f"NumPy would compute it as {dtype}, and its numbers may be too large for that",
            "write i.astype(int)",
        )
    whole = wrap(trace, Value(result.value.real, None, "i"), scalar=type(result) is TracedScalar)
    if type(whole) is TracedArray:
        whole.retyped(dtype)
    return whole


def stored(trace: Trace, array: TracedArray, obj: Any) -> Any:
    """What an item assignment writes into an array: NumPy converts without asking."""
    value = as_value(trace, obj)
    if value.kind == "c" and array.dtype.kind != "c":
        raise trace.refusal(
            "writing a complex value that depends on x into a real array",
            "NumPy would drop the imaginary part",
            "create the buffer with dtype complex, or write value.real",
        )
    if array.dtype.kind == "b" and value.kind != "b":
        raise trace.refusal(
            f"writing a value that depends on x into an array of dtype {array.dtype}",
            "NumPy would store whether it is zero, and the derivative would be lost",
            "create the buffer with dtype float (np.zeros(n) does), or write value != 0",
        )
    if array.kind == value.kind or array.dtype in (np.float64, np.complex128):
        return obj
    return in_dtype(trace, value, array.dtype, scalar=True)


def flat_node(trace: Trace, vector: Vector) -> Node:
    """A node that holds just the numbers of a vector in C order."""
    return vector.node if covers(vector.address, vector.node.size) else trace.apply_copy(vector).node


def _tape_scalar(trace: Trace, part: Real) -> Real:
    if isinstance(part, Vector):
        return Scalar(trace.tape.element(part.node.index, part.address.span[0]))
    return part


def settled(trace: Trace, obj: Any) -> Any:
    """A key or an option with plain traced arrays replaced by what they hold; traced masks become decisions."""
    if type(obj) is tuple:
        return tuple(settled(trace, part) for part in obj)
    if type(obj) is list and not all_plain(obj):
        return [settled(trace, part) for part in obj]
    if not is_traced(obj) or obj.is_plain:
        return plain(obj)
    if obj.kind == "b":
        return trace.decide(as_value(trace, obj).real) != 0.0
    if obj.kind == "i":
        return trace.decide(as_value(trace, obj).real).astype(obj.dtype)
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid "
        "indices"
    )


def delivered(trace: Trace, result: Any, out: Any, operation: str) -> Any:
    """The result, or `out` with the result written into it."""
    if out is None:
        return result
    if type(out) is tuple and len(out) > 1:
        return tuple(delivered(trace, part, one, operation) for part, one in zip(result, out, strict=True))
    target = out[0] if type(out) is tuple and len(out) == 1 else out
    if isinstance(target, np.ndarray) and target.dtype.kind == "O":
        raise trace.refusal(f"{operation} with out=", "it would be written into an array of objects", OF_OBJECTS)
    if type(target) is not TracedArray:
        raise outside_write(trace, f"{operation} with out=")
    check_same_kind(operation, np.asarray(result).dtype if not is_traced(result) else result.dtype, target.dtype)
    target[...] = result
    return target


def outside_write(trace: Trace, operation: str) -> UntraceableError:
    """The refusal to write a traced value into memory that is not ours."""
    return trace.outside_write(
        operation,
        "a value that depends on x would be written into an ordinary array made outside f",
        "create the buffer inside f by np.zeros, np.empty or np.array(buffer)",
    )
