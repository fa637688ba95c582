"""Patterns: where a matrix has entries, as sorted index arrays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from coloring.compiled import unsigned

Index: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pattern:
    """The places of a matrix's entries in compressed rows; made by `as_pattern`, which checks them.

    Parameters
    ----------
    indptr : array of int, shape (rows + 1,)
        Row i holds the entries ``indptr[i] ... indptr[i + 1] - 1``.
    indices : array of int, shape (nnz,)
        The column of each entry, strictly increasing within a row.
    shape : tuple of int
        Rows and columns.
    """

    indptr: Index
    indices: Index
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.indices)

    @cached_property
    def unsigned(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Both arrays as loops of machine code take them; see `coloring.compiled.unsigned`."""
        return unsigned(self.indptr), unsigned(self.indices)

    def rows(self) -> Index:
        """Row of each entry.

        Examples
        --------
        >>> as_pattern(([0, 2, 3], [0, 1, 1], (2, 2))).rows().tolist()
        [0, 0, 1]
        """
        numbers = np.arange(self.shape[0], dtype=self.indices.dtype)
        return cast("Index", np.repeat(numbers, np.diff(self.indptr)))


class _SparseMatrix(Protocol):
    """What a matrix of scipy.sparse, or a pattern of another package, has to show."""

    @property
    def indptr(self) -> npt.NDArray[Any]: ...
    @property
    def indices(self) -> npt.NDArray[Any]: ...
    @property
    def shape(self) -> Sequence[int]: ...


class _NetworkxGraph(Protocol):
    """What a graph of networkx has to show."""

    def adjacency(self) -> Any: ...
    def is_directed(self) -> bool: ...


Triple: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike, tuple[int, int]]
PatternLike: TypeAlias = Pattern | _SparseMatrix | _NetworkxGraph | Triple | npt.NDArray[Any]


def as_pattern(source: PatternLike, call: str = "as_pattern") -> Pattern:
    """Bring index arrays, a sparse matrix, a dense boolean array or a graph into the form of a `Pattern`.

    Unsorted and repeated indices are sorted and merged (in copies); index arrays become int32 where all sizes fit.
    Explicit zeros of a sparse matrix are entries.

    Parameters
    ----------
    source : tuple (indptr, indices, shape), scipy.sparse matrix, 2-D array of bool, networkx graph, or Pattern
        Compressed rows; a matrix of scipy.sparse in any format is converted; another object
        with ``indptr``, ``indices`` and ``shape`` is taken as compressed rows. The nodes of a graph are numbered in
        their order; each edge makes two entries, or one if it is directed.
    call : str
        Name of the call in error messages.

    Raises
    ------
    ValueError
        If the arrays do not describe a matrix; the message names what is wrong and the cure.

    Examples
    --------
    >>> pattern = as_pattern(([0, 2, 3], [2, 0, 1], (2, 3)))
    >>> pattern.indices.tolist()
    [0, 2, 1]
    """
    if isinstance(source, Pattern) and _is_frozen(source):
        return source
    indptr, indices, shape = _triple(source, call)
    rows, columns = _checked_shape(shape, call)
    indptr = _checked_integers(indptr, "indptr", call)
    indices = _checked_integers(indices, "indices", call)
    _check_indptr(indptr, len(indices), rows, call)
    _check_range(indices, "column", "indices", columns, call)
    return _made(*_sorted_rows(indptr, indices, (rows, columns)), (rows, columns))


def from_coordinates(rows: npt.ArrayLike, columns: npt.ArrayLike, shape: tuple[int, int]) -> Pattern:
    """Make a pattern of coordinates, one pair for each entry, in any order; repeated ones merge.

    Raises
    ------
    ValueError
        If the arrays differ in length, hold no integers or leave the shape.

    Examples
    --------
    >>> pattern = from_coordinates([1, 0, 1, 1], [0, 2, 1, 0], (2, 3))
    >>> pattern.indptr.tolist(), pattern.indices.tolist()
    ([0, 1, 3], [2, 0, 1])
    """
    call = "from_coordinates"
    sizes = _checked_shape(shape, call)
    first, second = _checked_integers(rows, "rows", call), _checked_integers(columns, "columns", call)
    if len(first) != len(second):
        raise ValueError(f"{call}: got {len(first)} rows and {len(second)} columns; pass one of each for an entry")
    _check_range(first, "row", "rows", sizes[0], call)
    _check_range(second, "column", "columns", sizes[1], call)
    return _made(*_compressed_rows(first, second, sizes), sizes)


def from_columns(indptr: npt.ArrayLike, indices: npt.ArrayLike, shape: tuple[int, int]) -> Pattern:
    """Make a pattern of compressed columns: column j has entries in rows ``indices[indptr[j]:indptr[j + 1]]``.

    Raises
    ------
    ValueError
        As `as_pattern`.

    Examples
    --------
    >>> pattern = from_columns([0, 2, 2, 3], [0, 1, 0], (2, 3))
    >>> pattern.indptr.tolist(), pattern.indices.tolist()
    ([0, 2, 3], [0, 2, 0])
    """
    call = "from_columns"
    rows, columns = _checked_shape(shape, call)
    pointers, members = _checked_integers(indptr, "indptr", call), _checked_integers(indices, "indices", call)
    _check_indptr(pointers, len(members), columns, call, "columns")
    _check_range(members, "row", "indices", rows, call)
    owners = np.repeat(np.arange(columns), np.diff(pointers))
    return _made(*_compressed_rows(members, owners, (rows, columns)), (rows, columns))


def from_edges(edges: npt.ArrayLike, num_vertices: int | None = None, symmetric: bool = True) -> Pattern:
    """Make the pattern of a graph from a list of its edges.

    Parameters
    ----------
    edges : array of int, shape (number, 2)
        Pairs of vertices, counted from 0; repeated ones merge, and one from a vertex to itself is an entry on the
        diagonal.
    num_vertices : int, optional
        By default one more than the largest number among the edges.
    symmetric : bool
        Whether an edge (i, j) makes both entries (i, j) and (j, i), or only the first.

    Raises
    ------
    ValueError
        If `edges` holds no pairs of integers, or a vertex that there is not.

    Examples
    --------
    >>> from_edges([(0, 1), (1, 2)]).indices.tolist()
    [1, 0, 2, 1]
    """
    call = "from_edges"
    pairs = _as_array(edges)
    if pairs.size == 0 and pairs.dtype.kind != "O":
        pairs = np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"{call}: got edges of dtype {pairs.dtype} and shape {pairs.shape}; pass pairs of integers, (number, 2)"
        )
    largest = int(pairs.max()) if pairs.size else -1
    size = _checked_shape((largest + 1 if num_vertices is None else num_vertices,) * 2, call)
    if pairs.size and (int(pairs.min()) < 0 or largest >= size[0]):
        edge = int(np.flatnonzero(((pairs < 0) | (pairs >= size[0])).any(axis=1))[0])
        raise ValueError(
            f"{call}: got edge {tuple(pairs[edge].tolist())} at {edge} for {size[0]} vertices; "
            f"every vertex must lie in 0 ... {size[0] - 1}"
        )
    begins, ends = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    if symmetric:
        begins, ends = np.concatenate((begins, ends)), np.concatenate((ends, begins))
    return _made(*_compressed_rows(begins, ends, size), size)


def _made(indptr: Index, indices: Index, shape: tuple[int, int]) -> Pattern:
    """Freeze arrays that are in order."""
    dtype = np.int32 if max(*shape, len(indices)) < 2**31 - 1 else np.int64
    return Pattern(_frozen(indptr, dtype), _frozen(indices, dtype), shape)


def _is_frozen(pattern: Pattern) -> bool:
    """Whether a pattern was made here; one of a user's own may hold anything, and kernels check no bounds."""
    indptr, indices = pattern.indptr, pattern.indices
    arrays = isinstance(indptr, np.ndarray) and isinstance(indices, np.ndarray)
    return arrays and not (indptr.flags.writeable or indices.flags.writeable)


def _triple(source: Any, call: str) -> tuple[Any, Any, Any]:
    """Take any accepted input apart."""
    if isinstance(source, np.ndarray):
        return _dense_triple(source, call)
    if isinstance(source, tuple):
        if len(source) != 3:
            raise ValueError(f"{call}: got a tuple of {len(source)} items as pattern; pass (indptr, indices, shape)")
        return source
    if callable(getattr(source, "adjacency", None)) and callable(getattr(source, "is_directed", None)):
        return _graph_triple(source)
    if callable(getattr(source, "tocsr", None)):  # a matrix of scipy.sparse, which need not be imported here
        source = source.tocsr()
    parts = tuple(getattr(source, name, None) for name in ("indptr", "indices", "shape"))
    if any(part is None for part in parts):
        raise ValueError(
            f"{call}: got {type(source).__name__} as pattern; pass (indptr, indices, shape) of compressed rows, a "
            "scipy.sparse matrix, a 2-D array of bool, a networkx graph, or what `from_edges`, `from_coordinates` or "
            "`from_columns` make"
        )
    return parts[0], parts[1], parts[2]


def _graph_triple(graph: Any) -> tuple[Any, Any, Any]:
    """Take a graph of networkx, which need not be imported here, apart: its nodes are numbered in their order."""
    numbers = {node: number for number, node in enumerate(graph)}
    edges = [(numbers[begin], numbers[end]) for begin, end in graph.edges()]
    pattern = from_edges(edges, len(numbers), symmetric=not graph.is_directed())
    return pattern.indptr, pattern.indices, pattern.shape


def _dense_triple(dense: npt.NDArray[Any], call: str) -> tuple[Any, Any, Any]:
    refuse_masked(dense, "pattern", call)
    if dense.ndim != 2 or dense.dtype != np.bool_:
        raise ValueError(
            f"{call}: got an array of dtype {dense.dtype} and shape {dense.shape} as pattern; a dense pattern is a "
            "2-D array of bool, for example `matrix != 0`; for pairs of vertices see `from_edges`"
        )
    rows, columns = np.nonzero(dense)
    indptr = np.zeros(dense.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=dense.shape[0]), out=indptr[1:])
    return indptr, columns, dense.shape


def _checked_shape(shape: Any, call: str) -> tuple[int, int]:
    try:
        sizes = tuple(int(size) for size in shape)
        exact = all(size == given for size, given in zip(sizes, shape, strict=True))
    except (TypeError, ValueError, OverflowError):  # the last for an infinity
        sizes, exact = (), False
    if len(sizes) != 2 or not exact or min(sizes) < 0:
        raise ValueError(f"{call}: got shape {shape!r}; pass two integers that are not negative, (rows, columns)")
    return sizes[0], sizes[1]


def _as_array(values: Any) -> npt.NDArray[Any]:
    """Make an array; of dtype object where rows differ in length."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.empty(0, dtype=object)


def refuse_masked(values: Any, name: str, call: str) -> None:
    """Refuse a masked array, of which NumPy would take the values under the mask."""
    masked = sys.modules.get("numpy.ma")  # there are none before it is imported, which takes some milliseconds
    if masked is not None and isinstance(values, masked.MaskedArray):
        raise ValueError(
            f"{call}: got a masked array as {name}; pass an ordinary one, as its `filled` or `compressed` makes"
        )


def _checked_integers(values: Any, name: str, call: str) -> Index:
    refuse_masked(values, name, call)
    array = _as_array(values)
    if array.size == 0 and array.ndim == 1 and array.dtype == np.float64:
        array = array.astype(np.int64)  # an empty list
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{call}: got {name} of dtype {array.dtype} and {array.ndim} dimension(s); pass a 1-D array of integers"
        )
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"{call}: got {name} up to {array.max()}; pass values that fit int64")
    return array if array.dtype == np.int32 else array.astype(np.int64, copy=False)


def _check_indptr(indptr: Index, nnz: int, lines: int, call: str, kind: str = "rows") -> None:
    if len(indptr) != lines + 1:
        other = "a matrix in compressed columns" if kind == "rows" else "a matrix in compressed rows"
        raise ValueError(
            f"{call}: got indptr of length {len(indptr)} for {lines} {kind}; compressed {kind} need {lines + 1} values "
            f"(was {other} meant?)"
        )
    if indptr[0] != 0 or indptr[-1] != nnz:
        raise ValueError(
            f"{call}: got indptr from {indptr[0]} to {indptr[-1]} with {nnz} indices; it has to run from 0 to {nnz}"
        )
    falls = np.flatnonzero(indptr[1:] < indptr[:-1])
    if falls.size:
        raise ValueError(
            f"{call}: got indptr that falls at {kind.removesuffix('s')} {falls[0]}; it must never decrease"
        )


def _check_range(indices: Index, kind: str, name: str, number: int, call: str) -> None:
    if indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < number):
        return
    place = int(np.flatnonzero((indices < 0) | (indices >= number))[0])
    raise ValueError(
        f"{call}: got {kind} {indices[place]} at {name}[{place}] for a matrix of {number} {kind}s; "
        f"every index must lie in 0 ... {number - 1}"
    )


def _sorted_rows(indptr: Index, indices: Index, shape: tuple[int, int]) -> tuple[Index, Index]:
    """Sort each row and merge repeated indices, if need be."""
    rising = indices[1:] > indices[:-1]
    starts = indptr[1:-1]
    rising[starts[(starts > 0) & (starts < len(indices))] - 1] = True  # a new row may begin anywhere
    if bool(rising.all()):
        return indptr, indices
    return _compressed_rows(np.repeat(np.arange(shape[0]), np.diff(indptr)), indices, shape)


def _compressed_rows(rows: Index, columns: Index, shape: tuple[int, int]) -> tuple[Index, Index]:
    """Sort entries by rows and columns and merge repeated ones."""
    bits = max(shape[1] - 1, 0).bit_length()
    if max(shape[0] - 1, 0).bit_length() + bits < 64:  # one number an entry sorts much quicker than two
        keys = (rows.astype(np.int64) << bits) | columns
        keys.sort()
        keys = keys[np.concatenate((keys[:1] == keys[:1], keys[1:] != keys[:-1]))]
        rows, columns = keys >> bits, keys & ((1 << bits) - 1)
    else:
        order = np.lexsort((columns, rows))
        rows, columns = rows[order], columns[order]
        first = np.concatenate((rows[:1] == rows[:1], (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])))
        rows, columns = rows[first], columns[first]
    indptr = np.zeros(shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=shape[0]), out=indptr[1:])
    return indptr, columns


def _frozen(array: Index, dtype: type[np.int32] | type[np.int64]) -> Index:
    """Make a read-only view or copy, contiguous."""
    result = cast("Index", np.ascontiguousarray(array, dtype=dtype).view())
    result.flags.writeable = False
    return result
