"""What f returned: its outputs as one node, and what it returned beside them as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from kernels.address import Affine
from sparsejac.errors import InputTypeError
from sparsejac.programs.addressing import c_strides
from sparsejac.programs.program import Node, Piece
from sparsejac.structure import Leaf, Structure, flatten, is_container, unflatten
from sparsejac.tracing.base import SEQUENCES, all_plain, is_traced, plain
from sparsejac.tracing.conversion import as_array, flat_node, numbers_of
from sparsejac.tracing.reals import Real, Scalar, Value
from sparsejac.tracing.trace import Trace

Floats = npt.NDArray[np.float64]
Rebuild = Callable[[Floats], Any]
"""From the numbers that a node holds to what stands for a traced value outside f."""


def outputs(trace: Trace, result: Any) -> tuple[Node, Structure]:
    """The result of f as one node, and how its arrays belong together."""
    if not is_container(result):
        node, leaf = _single(trace, result)
        return node, leaf
    side = _SideBySide(trace)

    def add(path: str, value: Any) -> tuple[Leaf, None]:
        array = _real_array(trace, value, path)
        side.add(array.value.real)
        return Leaf(array.shape), None

    structure, _ = flatten(result, add, "")
    return side.node(), structure


def auxiliary(trace: Trace, obj: Any) -> tuple[Node | None, Rebuild]:
    """What f returned beside its outputs: the node of all numbers in it that depend on x, and how to rebuild it."""
    side = _SideBySide(trace)
    rebuild = _rebuilding(trace, obj, side)
    return (side.node() if side.size else None), rebuild


class _SideBySide:
    """Numbers put side by side into one vector."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.size = 0
        self._pieces: list[Piece] = []
        self._scalars: list[tuple[int, int]] = []

    def add(self, number: Real) -> int:
        """Append a number or the numbers of a vector; return where they begin."""
        start = self.size
        if isinstance(number, Scalar):
            self._scalars.append((number.row, start))
            self.size += 1
            return start
        vector = self.trace.vector(number)
        box = vector.address.box
        self.size += vector.address.points
        if self.size > start:
            self._pieces.append(Piece(Affine(box, start, c_strides(box)), vector.load))
        return start

    def node(self) -> Node:
        """The vector."""
        if not self.size:
            return self.trace.constant([])
        pieces = tuple(self._pieces)
        if self._scalars:
            rows, places = np.array(self._scalars, dtype=np.int64).T
            pieces += self.trace.tape.pieces(rows, places)
        return self.trace.graph.join(self.size, pieces)


def _single(trace: Trace, result: Any) -> tuple[Node, Leaf]:
    array = _real_array(trace, result, "")
    return flat_node(trace, trace.vector(array.value.real)), Leaf(array.shape)


def _real_array(trace: Trace, result: Any, path: str) -> Any:
    """One array of f's result as a traced array of real numbers."""
    at = f" at {path}" if path else ""
    if result is None:
        raise trace.wrong_result(
            f"None{at}",
            "return the residual; where f writes it into one of its arguments, say so by out_argument= and out_like=",
        )
    if sp.issparse(result):
        raise trace.wrong_result(
            f"a sparse matrix{at}", "return a dense array: A.toarray(), or the vector that its entries were made of"
        )
    if not is_traced(result):
        result = _plain_result(trace, result, at)
    array = as_array(trace, result)
    if array.dtype.kind == "c":
        raise trace.wrong_result(
            f"complex values{at}, whose derivative by a real x is not one matrix",
            "return np.concatenate([y.real, y.imag])",
        )
    return array


def _plain_result(trace: Trace, result: Any, at: str) -> Any:
    if isinstance(result, Sequence) and not isinstance(result, str | bytes):
        result = list(result)
    if isinstance(result, SEQUENCES) and not all_plain(result):
        try:
            return as_array(trace, list(result))
        except ValueError as error:
            raise _ragged(trace, error, at) from None
    try:
        array = np.asarray(plain(result))
    except ValueError as error:
        raise _ragged(trace, error, at) from None
    if array.dtype.kind == "O" and array.ndim:
        if not all_plain(array.tolist()):
            return as_array(trace, array)
        array = numbers_of(array)
    if array.dtype.kind not in "biufc":
        raise trace.wrong_result(
            f"{type(result).__name__}{at} (dtype {array.dtype}), not numbers",
            "return arrays of floats; where it returns something else beside its outputs, pass has_aux=True",
        )
    return array


def _ragged(trace: Trace, error: ValueError, at: str) -> InputTypeError:
    return trace.wrong_result(f"a ragged list{at} ({error})", "return one array, np.concatenate of the parts")


def _rebuilding(trace: Trace, obj: Any, side: _SideBySide) -> Rebuild:
    """How to rebuild one object from the numbers; what depends on x is appended to them."""
    if is_container(obj):
        structure, parts = flatten(obj, lambda _, value: (Leaf(()), _rebuilding(trace, value, side)), "")
        return lambda numbers: unflatten(structure, (part(numbers) for part in parts))
    if type(obj) in (list, tuple):
        kind, items = type(obj), [_rebuilding(trace, item, side) for item in obj]
        return lambda numbers: kind(item(numbers) for item in items)
    if isinstance(obj, np.ndarray) and obj.dtype.kind == "O" and not all_plain(obj.tolist()):
        obj = as_array(trace, obj)
    if not is_traced(obj):
        return lambda numbers: obj.copy() if type(obj) is np.ndarray else obj
    if obj.is_plain:
        array = np.array(obj.plain_form)
        return lambda numbers: array.copy()
    return _rebuilding_traced(obj.value, obj.dtype, obj.shape, side)


def _rebuilding_traced(value: Value, dtype: np.dtype[Any], shape: tuple[int, ...], side: _SideBySide) -> Rebuild:
    starts = [side.add(part) for part in value.parts]
    size = value.size

    def rebuild(numbers: Floats) -> Any:
        parts = [numbers[start : start + size].reshape(shape) for start in starts]
        whole = parts[0] if len(parts) == 1 else parts[0] + 1j * parts[1]
        return whole.astype(dtype)[()]

    return rebuild
