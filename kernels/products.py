"""Gathers and sums of products over precomputed slots, by NumPy when short and by compiled loops when long.

Both sum in the order of the slots, so the results are bit-identical. Slots must lie inside their sources: long calls
test no index. `out` may not overlap the other arrays.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels import product_loops
from kernels.address import Index
from kernels.module import compile_source
from kernels.source import Source, read_only
from kernels.threads import run_pieces, split

FloatArray = npt.NDArray[np.float64]

COMPILED_FROM = 50_000
"""Length from which loops are compiled (NumPy needs about a millisecond there)."""

_compiled: dict[tuple[str, ...], Callable[..., None]] = {}


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
    if len(slots) < COMPILED_FROM:
        out[...] = source[slots]
    else:
        _run(product_loops.gather, (slots,), (source,), out, len(slots))
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
    if len(slots) + len(out) < COMPILED_FROM:
        return _sum_ranges(indptr, source[slots], out)
    _run(product_loops.slot_sums, (indptr, slots), (source,), out, 2 * len(slots) + len(out))
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
    if len(left_slots) + len(out) < COMPILED_FROM:
        return _sum_ranges(indptr, left[left_slots] * right[right_slots], out)
    slots = (indptr, left_slots, right_slots)
    _run(product_loops.pair_sums, slots, (left, right), out, 4 * len(left_slots) + len(out))
    return out


def _sum_ranges(indptr: Index, terms: FloatArray, out: FloatArray) -> FloatArray:
    """Sums in order, which neither ``sum`` nor ``reduceat`` promises."""
    rows = np.repeat(np.arange(len(out)), np.diff(indptr))
    out[...] = np.bincount(rows, terms, len(out))
    return out


def _run(loop: Callable[..., None], slots: tuple[Index, ...], sources: tuple[Any, ...], out: Any, work: int) -> None:
    """Run a compiled loop over all of `out`."""
    unsigned = tuple([s.view(np.uint32 if s.dtype.itemsize == 4 else np.uint64) for s in slots])
    key = (loop.__name__, *(s.dtype.name for s in unsigned))
    function = _compiled.get(key)
    if function is None:
        types = ["int64", "int64", *map(read_only, key[1:]), *[read_only("float64")] * len(sources), "float64[::1]"]
        function = _compiled[key] = compile_source(_source(loop, f"void({', '.join(types)})"))
    run_pieces(function, split(len(out), work, align=64), (*unsigned, *sources, out))


def _source(loop: Callable[..., None], signature: str) -> Source:
    text = textwrap.dedent(inspect.getsource(loop))
    header = "from typing import Any\n\nimport numpy as np\n\nONE = np.uint64(1)\n\n\n"
    return Source(loop.__name__, header + text, signature)
