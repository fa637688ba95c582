"""Gathers and sums of products over precomputed slots, by NumPy when short and by compiled loops when long.

Both sum in the order of the slots, so the results are bit-identical. Slots must lie inside their sources: long calls
test no index. `out` may not overlap the other arrays.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import product_loops
from kernels.address import Index, identity
from kernels.evaluation import Invocation, RowRange, Touch
from kernels.lazy import load
from kernels.source import Source, read_only, text_of
from kernels.threads import run_pieces, split

FloatArray = npt.NDArray[np.float64]

COMPILED_FROM = 50_000
"""Work, in additions, from which loops are compiled (NumPy needs about a millisecond there). Once compiled, a loop
serves short calls too."""

LOADS_COMPILER_FROM = 500_000
"""The same where the compiler would have to be loaded first: shorter calls of NumPy are over before it is there."""

_UNSIGNED: dict[int, type[np.unsignedinteger[Any]]] = {4: np.uint32, 8: np.uint64}

_compiled: dict[tuple[Any, ...], Callable[..., None]] = {}


def gather(source: FloatArray, slots: Index, out: FloatArray) -> FloatArray:
    """``out[t] = source[slots[t]]``.

    Parameters
    ----------
    source : array of float64, one-dimensional
    slots : array of int32 or int64
    out : array of float64, as long as `slots`

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import gather
    >>> gather(np.array([0.5, 1.5]), np.array([1, 0, 1]), np.empty(3)).tolist()
    [1.5, 0.5, 1.5]
    """
    if not _run(product_loops.gather, (slots,), (source,), out, len(slots)):
        out[...] = source[slots]
    return out


def place(source: FloatArray, slots: Index, positions: Index, out: FloatArray) -> FloatArray:
    """``out[positions[t]] = source[slots[t]]``; no position comes twice.

    Parameters
    ----------
    source : array of float64, one-dimensional
    slots, positions : array of int32 or int64
    out : array of float64
        Changed at `positions` alone.

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import place
    >>> place(np.array([0.5, 1.5]), np.array([1, 0]), np.array([3, 1]), np.zeros(4)).tolist()
    [0.0, 0.5, 0.0, 1.5]
    """
    if not _run(product_loops.place, (positions, slots), (source,), out, 2 * len(slots), len(slots)):
        out[positions] = source[slots]
    return out


def add_at(positions: Index, source: FloatArray, out: FloatArray) -> FloatArray:
    """``out[positions[t]] += source[positions[t]]``; no position comes twice.

    Parameters
    ----------
    positions : array of int32 or int64
    source, out : array of float64, one-dimensional

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import add_at
    >>> add_at(np.array([2, 0]), np.array([0.5, 1.5, 2.5]), np.ones(3)).tolist()
    [1.5, 1.0, 3.5]
    """
    if not _run(product_loops.add_at, (positions,), (source,), out, 2 * len(positions), len(positions)):
        out[positions] += source[positions]
    return out


def slot_sums(indptr: Index, slots: Index, source: FloatArray, out: FloatArray) -> FloatArray:
    """``out[t]`` = sum over q in ``indptr[t]:indptr[t + 1]`` of ``source[slots[q]]``.

    Parameters
    ----------
    indptr, slots : array of int32 or int64
    source : array of float64, one-dimensional
    out : array of float64, one shorter than `indptr`

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import slot_sums
    >>> slot_sums(np.array([0, 2, 2, 3]), np.array([0, 1, 1]), np.array([0.5, 1.5]), np.empty(3)).tolist()
    [2.0, 0.0, 1.5]
    """
    if not _run(product_loops.slot_sums, (indptr, slots), (source,), out, 2 * len(slots) + len(out)):
        _sum_ranges(indptr, source[slots], out)
    return out


def pair_sums(
    indptr: Index, left_slots: Index, right_slots: Index, left: FloatArray, right: FloatArray, out: FloatArray
) -> FloatArray:
    """``out[t]`` = sum over q in ``indptr[t]:indptr[t + 1]`` of ``left[left_slots[q]] * right[right_slots[q]]``.

    Parameters
    ----------
    indptr, left_slots, right_slots : array of int32 or int64
    left, right : array of float64, one-dimensional
    out : array of float64, one shorter than `indptr`

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import pair_sums
    >>> x = np.array([2.0, 3.0, 5.0])
    >>> pair_sums(np.array([0, 2, 3]), np.array([0, 1, 2]), np.array([1, 1, 0]), x, x, np.empty(2)).tolist()
    [15.0, 10.0]
    """
    slots = (indptr, left_slots, right_slots)
    if not _run(product_loops.pair_sums, slots, (left, right), out, 4 * len(left_slots) + len(out)):
        _sum_ranges(indptr, left[left_slots] * right[right_slots], out)
    return out


def pair_products(
    left_slots: Index, right_slots: Index, left: FloatArray, right: FloatArray, out: FloatArray
) -> FloatArray:
    """``out[t] = left[left_slots[t]] * right[right_slots[t]]``: `pair_sums` of one product each.

    Parameters
    ----------
    left_slots, right_slots : array of int32 or int64
    left, right : array of float64, one-dimensional
    out : array of float64, as long as the slots

    Returns
    -------
    array
        `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from kernels.products import pair_products
    >>> x = np.array([2.0, 3.0, 5.0])
    >>> pair_products(np.array([0, 2]), np.array([1, 1]), x, x, np.empty(2)).tolist()
    [6.0, 15.0]
    """
    if not _run(product_loops.pair_products, (left_slots, right_slots), (left, right), out, 4 * len(out)):
        np.multiply(left[left_slots], right[right_slots], out=out)
    return out


def _sum_ranges(indptr: Index, terms: FloatArray, out: FloatArray) -> None:
    """Sums in order, which neither ``sum`` nor ``reduceat`` promises."""
    rows = np.repeat(np.arange(len(out)), np.diff(indptr))
    out[...] = np.bincount(rows, terms, len(out))


def _run(
    loop: Callable[..., None], slots: tuple[Index, ...], sources: tuple[Any, ...], out: Any, work: int, length: int = -1
) -> bool:
    """Run a compiled loop over all of `out`, or over a `length`; False for short ones that were not compiled before."""
    itemsizes = tuple([s.dtype.itemsize for s in slots])
    is_new = (loop, *itemsizes) not in _compiled
    if is_new and work < (COMPILED_FROM if "llvmlite" in sys.modules else LOADS_COMPILER_FROM):
        return False
    function, length = compiled(loop, itemsizes, len(sources)), len(out) if length < 0 else length
    run_pieces(function, split(length, work, align=64), (*_unsigned(slots), *sources, out))
    return True


def compiled(loop: Callable[..., None], itemsizes: tuple[int, ...], sources: int) -> Callable[..., None]:
    """A loop of `kernels.product_loops`, compiled on first use; it looks at the types of its arguments.

    Parameters
    ----------
    loop : callable
    itemsizes : tuple of int
        Bytes of a number of each index table.
    sources : int
        How many arrays it reads beside these.
    """
    key = (loop, *itemsizes)
    function = _compiled.get(key)
    if function is None:
        function = load("kernels.module").compile_source(_source(loop, _signature(itemsizes, sources)))
        _compiled[key] = function
    return function


def zero_invocation(out: FloatArray) -> Invocation:
    """``out[...] = 0.0``, to be run by an entry."""
    call = _invocation(product_loops.zero, (), (), out, len(out))
    touches = [Touch(out, identity(len(out)), "stores")]
    return replace(call, rows=replace(call.rows, touches=lambda: touches))


def copy_invocation(source: FloatArray, out: FloatArray) -> Invocation:
    """``out[...] = source``, to be run by an entry."""
    return _invocation(product_loops.copy, (), (source,), out, len(out))


def add_at_invocation(positions: Index, source: FloatArray, out: FloatArray) -> Invocation:
    """``out[positions] += source[positions]``, to be run by an entry; no position comes twice."""
    return _invocation(product_loops.add_at, (positions,), (source,), out, 2 * len(positions), len(positions))


def subtract_along_invocation(targets: Index, positions: Index, out: FloatArray) -> Invocation:
    """``out[targets[t]] -= out[positions[t]]`` one after the other, to be run by an entry without threads."""
    return _invocation(product_loops.subtract_along, (targets, positions), (), out, 0, len(targets))


def place_invocation(source: FloatArray, slots: Index, positions: Index, out: FloatArray) -> Invocation:
    """``out[positions] = source[slots]``, to be run by an entry."""
    return _invocation(product_loops.place, (positions, slots), (source,), out, 2 * len(slots), len(slots))


def gather_invocation(source: FloatArray, slots: Index, out: FloatArray) -> Invocation:
    """`gather`, to be run by an entry; so are the next three, each as the function of its name."""
    return _invocation(product_loops.gather, (slots,), (source,), out, len(slots))


def copy_runs_invocation(source: FloatArray, indptr: Index, slots: Index, out: FloatArray) -> Invocation:
    """``out[q] = source[slots[t] + q - indptr[t]]`` for q in the range t of `indptr`, to be run by an entry."""
    return _invocation(product_loops.copy_runs, (indptr, slots), (source,), out, 2 * len(out), len(slots))


def slot_sums_invocation(indptr: Index, slots: Index, source: FloatArray, out: FloatArray) -> Invocation:
    """`slot_sums`, to be run by an entry."""
    return _invocation(product_loops.slot_sums, (indptr, slots), (source,), out, 2 * len(slots) + len(out))


def add_sums_invocation(places: Index, indptr: Index, slots: Index, source: FloatArray, out: FloatArray) -> Invocation:
    """``out[places[t]] += source[slots[q]]`` over the range t of `indptr`, one after the other, to be run by an entry.

    No place comes twice.
    """
    work = 2 * (len(slots) + len(places))
    return _invocation(product_loops.add_sums, (places, indptr, slots), (source,), out, work, len(places))


def subtract_sums_invocation(places: Index, indptr: Index, slots: Index, out: FloatArray) -> Invocation:
    """``out[places[t]] -= out[slots[q]]`` in the same way; no place is a slot."""
    work = 2 * (len(slots) + len(places))
    return _invocation(product_loops.subtract_sums, (places, indptr, slots), (), out, work, len(places))


def pair_sums_invocation(
    indptr: Index, left_slots: Index, right_slots: Index, left: FloatArray, right: FloatArray, out: FloatArray
) -> Invocation:
    """`pair_sums`, to be run by an entry."""
    work = 4 * len(left_slots) + len(out)
    return _invocation(product_loops.pair_sums, (indptr, left_slots, right_slots), (left, right), out, work)


def pair_products_invocation(
    left_slots: Index, right_slots: Index, left: FloatArray, right: FloatArray, out: FloatArray
) -> Invocation:
    """`pair_products`, to be run by an entry."""
    return _invocation(product_loops.pair_products, (left_slots, right_slots), (left, right), out, 4 * len(out))


def _invocation(
    loop: Callable[..., None], slots: tuple[Index, ...], sources: tuple[Any, ...], out: Any, work: int, length: int = -1
) -> Invocation:
    length = len(out) if length < 0 else length
    unsigned = _unsigned(tuple(map(np.ascontiguousarray, slots)))
    signature = _signature(tuple(s.dtype.itemsize for s in slots), len(sources))
    return Invocation(_source(loop, signature), (0, length, *unsigned, *sources, out), RowRange(work, 64))


def _unsigned(slots: tuple[Index, ...]) -> list[npt.NDArray[Any]]:
    return [s.view(_UNSIGNED[s.dtype.itemsize]) for s in slots]


def _signature(itemsizes: tuple[Any, ...], sources: int) -> str:
    tables = [read_only(_UNSIGNED[size].__name__) for size in itemsizes]
    return f"void({', '.join(['int64', 'int64', *tables, *[read_only('float64')] * sources, 'float64[::1]'])})"


def _source(loop: Callable[..., None], signature: str) -> Source:
    text = text_of(loop)
    header = "from typing import Any\n\nimport numpy as np\n\nONE = np.uint64(1)\n\n\n"
    return Source(loop.__name__, header + text, signature)
