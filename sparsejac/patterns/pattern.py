"""The sparsity pattern of a Jacobian: where it may be nonzero."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from kernels.records import dataclass

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kernels.address import Address

IndexArray = npt.NDArray[Any]  # int32 or int64

_INT32_MAX = 2**31 - 1
_REPEATED = "instances"
_COUNTED = 1 << 16
_PICTURE_DOTS = (96, 144)  # largest picture in dots: 24 lines of 72 characters
_IMAGE_CELLS = 1000
# Bits of the dots of a braille character, rows from the top, left and right column (Unicode 2800 ff.).
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])


def index_dtype(*bounds: int) -> type[np.int32] | type[np.int64]:
    """Return int32 where all `bounds` fit into it, otherwise int64."""
    return np.int32 if max(bounds, default=0) <= _INT32_MAX else np.int64


@dataclass(frozen=True, eq=False, repr=False)
class Pattern:
    """Places of a matrix that may hold a nonzero, row by row.

    Parameters
    ----------
    shape : tuple of int
    indptr : array of int, shape (rows + 1,)
        Row r has its columns at ``indices[indptr[r]:indptr[r + 1]]``.
    indices : array of int, shape (nnz,)
        Columns, ascending and without repetition in each row.

    Both arrays are copied, read-only, and int32 while shape and nnz fit into it (otherwise int64).

    Raises
    ------
    ValueError
        Where the arrays do not describe such rows.

    Examples
    --------
    >>> pattern = Pattern.from_coo([0, 1, 1], [2, 1, 0], shape=(2, 3))
    >>> pattern.nnz, pattern.indptr.tolist(), pattern.indices.tolist()
    (3, [0, 1, 3], [2, 0, 1])
    >>> print(pattern)
    Pattern 2 x 3, 3 nonzeros, density 50 %
    ⠒⠁
    """

    shape: tuple[int, int]
    indptr: IndexArray
    indices: IndexArray

    def __post_init__(self) -> None:
        """Take both arrays over as read-only copies of the common type."""
        shape = (int(self.shape[0]), int(self.shape[1]))
        dtype = index_dtype(*shape, len(self.indices))
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "indptr", _freeze(np.array(self.indptr, dtype=dtype), dtype))
        object.__setattr__(self, "indices", _freeze(np.array(self.indices, dtype=dtype), dtype))
        self._check()

    def _check(self) -> None:
        reason = _find_fault(self.shape, self.indptr, self.indices)
        if reason:
            raise ValueError(f"Pattern: {reason}. Pattern.from_coo or Pattern.from_scipy sort and merge entries.")

    @classmethod
    def of_ours(cls, shape: tuple[int, int], indptr: IndexArray, indices: IndexArray) -> Pattern:
        """As the constructor, of arrays that stay as they are, and so need no copy.

        >>> Pattern.of_ours((1, 3), np.array([0, 2], np.int32), np.array([0, 2], np.int32)).nnz
        2
        """
        made = cls.in_order((int(shape[0]), int(shape[1])), indptr, indices)
        made._check()
        return made

    @classmethod
    def in_order(
        cls, shape: tuple[int, int], indptr: IndexArray, indices: IndexArray, repeated: Repeated | None = None
    ) -> Pattern:
        """Take rows that are known to be as they have to be, in arrays that stay as they are: nothing is looked at.

        With them comes what they were found from; see `repeated`.

        >>> Pattern.in_order((1, 3), np.array([0, 2], np.int32), np.array([0, 2], np.int32)).nnz
        2
        """
        made = object.__new__(cls)
        dtype = index_dtype(*shape, len(indices))
        for name, part in (("shape", shape), ("indptr", _freeze(indptr, dtype)), ("indices", _freeze(indices, dtype))):
            object.__setattr__(made, name, part)
        if repeated is not None:
            object.__setattr__(made, _REPEATED, repeated)
        return made

    @classmethod
    def from_scipy(cls, matrix: Any) -> Pattern:
        """Take the stored entries of a SciPy sparse matrix or array; explicit zeros count as entries.

        >>> Pattern.from_scipy(csr_array([[1.0, 0.0, 2.0]])).indices.tolist()
        [0, 2]
        """
        matrix = matrix.tocoo()
        return cls.from_coo(matrix.row, matrix.col, matrix.shape)

    @classmethod
    def from_coo(cls, rows: npt.ArrayLike, columns: npt.ArrayLike, shape: tuple[int, int]) -> Pattern:
        """Take entries in any order; an entry given several times counts once.

        Raises
        ------
        ValueError
            Where an entry lies outside of `shape`.

        Examples
        --------
        >>> Pattern.from_coo([1, 0, 1], [0, 1, 0], (2, 2)).nnz
        2
        """
        row, column = np.asarray(rows, dtype=np.int64).ravel(), np.asarray(columns, dtype=np.int64).ravel()
        matrix = coo_array((np.ones(len(row), dtype=np.bool_), (row, column)), shape=shape).tocsr()
        matrix.sum_duplicates()
        return cls.in_order((int(shape[0]), int(shape[1])), matrix.indptr, matrix.indices)

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.indices)

    @property
    def density(self) -> float:
        """Share of the matrix that the entries fill; 0.0 for an empty matrix."""
        return self.nnz / max(self.shape[0] * self.shape[1], 1)

    def rows(self) -> IndexArray:
        """Row of each entry.

        >>> Pattern.from_coo([0, 2, 2], [0, 0, 1], (3, 2)).rows().tolist()
        [0, 2, 2]
        """
        numbers: IndexArray = np.arange(self.shape[0], dtype=index_dtype(self.shape[0], self.nnz, self.shape[1]))
        return np.repeat(numbers, np.diff(self.indptr))

    def to_scipy(self) -> csr_array:
        """Return a matrix of True at each entry, with index arrays of its own."""
        ones = np.ones(self.nnz, dtype=np.bool_)
        return csr_array((ones, self.indices.copy(), self.indptr.copy()), shape=self.shape)

    @cached_property
    def _transposed(self) -> Pattern:
        by_columns = self.to_scipy().tocsc()
        return Pattern.in_order((self.shape[1], self.shape[0]), by_columns.indptr, by_columns.indices)

    @property
    def T(self) -> Pattern:
        """The pattern of the transposed matrix."""
        return self._transposed

    def __eq__(self, other: object) -> bool:
        """Whether shape and all entries are the same."""
        if not isinstance(other, Pattern):
            return NotImplemented
        return (
            self.shape == other.shape
            and np.array_equal(self.indptr, other.indptr)
            and np.array_equal(self.indices, other.indices)
        )

    def __hash__(self) -> int:
        """Agree for equal patterns."""
        return hash((self.shape, self.nnz, self.indices[:: max(self.nnz // 64, 1)].tobytes()))

    def __repr__(self) -> str:
        """Name shape and number of entries."""
        return f"<Pattern {self.shape[0]} x {self.shape[1]}, {self.nnz} nonzeros>"

    def __str__(self) -> str:
        """Draw the pattern in braille dots; a large one is scaled down (a dot: some entry lies there)."""
        head = f"Pattern {self.shape[0]} x {self.shape[1]}, {self.nnz} nonzeros, density {100 * self.density:.3g} %"
        return "\n".join([head, *_draw_braille(self)])

    def spy(self, ax: Axes | None = None, colors: npt.ArrayLike | None = None, by: str = "column") -> Axes:
        """Draw the pattern with matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; otherwise a new figure.
        colors : array of int, optional
            A color number for each column (or for each row), as in a coloring.
        by : {"column", "row"}
            What `colors` counts.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        return _spy(self, ax, colors, by)


def entry_numbers(pattern: Pattern) -> npt.NDArray[np.int64]:
    """The entries as numbers ``row * columns + column``, ascending.

    >>> entry_numbers(Pattern.from_coo([0, 1, 1], [2, 1, 0], shape=(2, 3))).tolist()
    [2, 3, 4]
    """
    return np.asarray(pattern.rows().astype(np.int64) * pattern.shape[1] + pattern.indices, dtype=np.int64)


class Repeated(Protocol):
    """A pattern as rows that are the same for each of many instances; see `sparsejac.patterns.instances`."""

    def find(self, rows: Address, columns: Address) -> Address | None:
        """The entries at the points of a box; None where they are not found this way."""

    def column_counts(self, size: int) -> npt.NDArray[np.int64]:
        """How many entries each column has."""


def repeated(pattern: Pattern) -> Repeated | None:
    """What a pattern was found from, where it is the same for each of many instances."""
    found: Repeated | None = pattern.__dict__.get(_REPEATED)
    return found


def column_counts(pattern: Pattern) -> npt.NDArray[np.int64]:
    """How many entries each column has.

    >>> column_counts(Pattern.from_coo([0, 1, 1], [2, 2, 0], shape=(2, 3))).tolist()
    [1, 0, 2]
    """
    known = repeated(pattern)
    if known is not None:
        return known.column_counts(pattern.shape[1])
    counts = np.zeros(pattern.shape[1], dtype=np.int64)
    for start in range(0, pattern.nnz, _COUNTED):  # NumPy counts by numbers of its own type
        np.add.at(counts, pattern.indices[start : start + _COUNTED].astype(np.intp), 1)
    return counts


def part_of(pattern: Pattern, kept: npt.NDArray[np.bool_]) -> Pattern:
    """The pattern of some of the entries.

    >>> part_of(Pattern.from_coo([0, 1, 1], [2, 1, 0], shape=(2, 3)), np.array([True, False, True])).indptr.tolist()
    [0, 1, 2]
    """
    counts = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(kept, out=counts[1:])
    return Pattern.in_order(pattern.shape, counts[pattern.indptr], pattern.indices[kept])


def _freeze(array: Any, dtype: type[np.int32] | type[np.int64]) -> IndexArray:
    """An array that cannot be written to, also by way of its base; the given one stays writeable."""
    return np.asarray(np.ascontiguousarray(array, dtype=dtype).data.toreadonly())


def _find_fault(shape: tuple[int, int], indptr: IndexArray, indices: IndexArray) -> str | None:
    """Say why the arrays are no sorted rows of a matrix of this shape; None if they are."""
    if indptr.shape != (shape[0] + 1,) or indptr[0] != 0 or indptr[-1] != len(indices):
        return f"indptr has to have {shape[0] + 1} numbers, from 0 to the number of indices, {len(indices)}"
    if np.any(indptr[1:] < indptr[:-1]):
        return "indptr has to ascend"
    if len(indices) and (indices.min() < 0 or indices.max() >= shape[1]):
        return f"indices have to lie in 0 ... {shape[1] - 1}"
    steps = indices[1:] > indices[:-1]
    starts = indptr[1:-1]
    steps[starts[(starts > 0) & (starts < len(indices))] - 1] = True
    return None if steps.all() else "indices have to ascend in each row, without repetition"


def _draw_braille(pattern: Pattern) -> list[str]:
    """Lines of braille characters, 4 x 2 dots each."""
    shrink = max(1.0, pattern.shape[0] / _PICTURE_DOTS[0], pattern.shape[1] / _PICTURE_DOTS[1])
    rows = (pattern.rows() / shrink).astype(np.int64)
    columns = (pattern.indices / shrink).astype(np.int64)
    lines, characters = (-(-int(np.ceil(s / shrink)) // d) for s, d in zip(pattern.shape, (4, 2), strict=True))
    dots = np.zeros((lines * 4, characters * 2), dtype=np.bool_)
    dots[rows, columns] = True
    blocks = dots.reshape(lines, 4, characters, 2).transpose(0, 2, 1, 3)
    codes = 0x2800 + (blocks * _BRAILLE).sum(axis=(2, 3))
    return ["".join(map(chr, line)) for line in codes]


def _spy(pattern: Pattern, ax: Axes | None, colors: npt.ArrayLike | None, by: str) -> Axes:
    if by not in ("column", "row"):
        raise ValueError(f"Pattern.spy: by={by!r} is unknown; it has to be 'column' or 'row'.")
    try:
        from matplotlib import colormaps, pyplot
    except ImportError as error:
        raise ImportError("Pattern.spy draws with matplotlib, which is missing: pip install matplotlib") from error
    if ax is None:
        _, ax = pyplot.subplots()
    shrink = max(1.0, max(pattern.shape) / _IMAGE_CELLS)
    height, width = (max(1, int(np.ceil(s / shrink))) for s in pattern.shape)
    image = np.ones((height, width, 3))
    rows, columns = pattern.rows(), pattern.indices
    paint: npt.NDArray[np.float64] = np.zeros((pattern.nnz, 3))
    if colors is not None:
        chosen = np.asarray(colors)[columns if by == "column" else rows]
        paint = np.asarray(colormaps["tab20"](chosen % 20), dtype=np.float64)[:, :3]
    image[(rows / shrink).astype(np.int64), (columns / shrink).astype(np.int64)] = paint
    extent = (-0.5, max(pattern.shape[1], 1) - 0.5, max(pattern.shape[0], 1) - 0.5, -0.5)
    ax.imshow(image, interpolation="nearest", extent=extent)
    ax.set_title(f"{pattern.shape[0]} x {pattern.shape[1]}, {pattern.nnz} nonzeros")
    return ax
