"""Patterns by name and size, kept in a folder so that every process of a run reads the same arrays."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.io
import scipy.sparse

Ints: TypeAlias = npt.NDArray[np.int32]
Triple: TypeAlias = tuple[Ints, Ints, tuple[int, int]]

FILE = Path(__file__).resolve().parents[2] / "tests" / "coloring" / "families.py"


@cache
def families() -> ModuleType:
    """Load the generators of the tests, which stand beside them in every checkout."""
    spec = importlib.util.spec_from_file_location("coloring_families", FILE)
    if spec is None or spec.loader is None or not FILE.exists():
        raise FileNotFoundError(f"{FILE} is missing; run the benchmark from a checkout")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _grid(name: str, dimension: int, points: int) -> Callable[[int], Triple]:
    return lambda nnz: families().stencil(name, (max(3, round((nnz / points) ** (1 / dimension))),) * dimension)


def _band(nnz: int) -> Triple:
    n = max(nnz // 7, 8)
    triple: Triple = families().band(n, n, 3, 3)
    return triple


def _blocks(nnz: int, border: int = 0) -> Triple:
    """Fill dense blocks of 4 x 4, and for a bordered matrix the last rows and columns."""
    count = max(nnz // (16 + 8 * border), 2)
    inner = scipy.sparse.kron(scipy.sparse.eye_array(count), np.ones((4, 4)))
    if not border:
        return as_triple(inner)
    right, low = np.ones((4 * count, border)), np.ones((border, 4 * count))
    dense: Any = [[inner, right], [low, np.ones((border, border))]]
    return as_triple(scipy.sparse.block_array(dense))


def _random(nnz: int) -> Triple:
    n = max(nnz // 5, 8)
    rng = np.random.default_rng(1)
    places = (np.repeat(np.arange(n), 5), rng.integers(0, n, 5 * n))
    return as_triple(scipy.sparse.coo_array((np.ones(5 * n, dtype=np.int8), places), shape=(n, n)))


def _power_law(nnz: int) -> Triple:
    triple: Triple = families().power_law(max(nnz // 7, 16), 3, 1)
    return triple


def _triangles(nnz: int) -> Triple:
    triple: Triple = families().delaunay(max(nnz // 7, 16), 2, 1)
    return triple


def _kkt(nnz: int) -> Triple:
    n = max(nnz // 7, 24)
    triple: Triple = families().kkt(n, n // 3, 3, 1, dense_rows=1)
    return triple


def _arrowhead(nnz: int) -> Triple:
    n = max(nnz // 3, 8)
    d = np.arange(n)
    places = (np.r_[d, 0 * d[1:], d[1:]], np.r_[d, d[1:], 0 * d[1:]])
    return as_triple(scipy.sparse.coo_array((np.ones(3 * n - 2, dtype=np.int8), places), shape=(n, n)))


GENERATORS: dict[str, Callable[[int], Triple]] = {
    "five_point": _grid("five_point", 2, 5),
    "nine_point": _grid("nine_point", 2, 9),
    "seven_point": _grid("seven_point", 3, 7),
    "box_27": _grid("box_27", 3, 27),
    "band": _band,
    "blocks": _blocks,
    "bordered": lambda nnz: _blocks(nnz, 2),
    "arrowhead": _arrowhead,
    "random": _random,
    "power_law": _power_law,
    "triangles": _triangles,
    "kkt": _kkt,
}


def as_triple(matrix: Any) -> Triple:
    """Take the pattern of a sparse matrix, its rows sorted."""
    rows = scipy.sparse.csr_array(matrix)
    rows.sum_duplicates()
    rows.sort_indices()
    return rows.indptr.astype(np.int32), rows.indices.astype(np.int32), (int(rows.shape[0]), int(rows.shape[1]))


def as_matrix(triple: Triple) -> Any:
    """Make a sparse matrix of ones."""
    indptr, indices, shape = triple
    return scipy.sparse.csr_array((np.ones(len(indices), dtype=np.int8), indices, indptr), shape=shape)


def load(name: str, folder: str) -> Triple:
    """Make a pattern, or read it where another process made it.

    Parameters
    ----------
    name : str
        ``family:entries`` for the generators here, the path of a Matrix Market file, or a pattern of the tests.
    folder : str
    """
    if name.endswith(".mtx"):
        return as_triple(scipy.io.mmread(name))
    family, _, entries = name.partition(":")
    if not entries:
        triple: Triple = families().build(name)
        return triple
    file = file_of(name, folder)
    if not file.exists():
        indptr, indices, shape = GENERATORS[family](int(entries))
        made = file.with_suffix(".part.npz")
        np.savez(made, indptr=indptr, indices=indices, shape=shape)
        made.replace(file)
    with np.load(file) as arrays:
        rows, columns = arrays["shape"].tolist()
        return arrays["indptr"], arrays["indices"], (rows, columns)


def file_of(name: str, folder: str) -> Path:
    """Name the file that holds a generated pattern."""
    family, _, entries = name.partition(":")
    return Path(folder) / f"{family}-{entries}.npz"


def is_symmetric(triple: Triple) -> bool:
    """Whether rows and columns have the same pattern."""
    if triple[2][0] != triple[2][1]:
        return False
    transposed = as_triple(as_matrix(triple).T)
    return np.array_equal(transposed[0], triple[0]) and np.array_equal(transposed[1], triple[1])


def sizes(least: float, most: float) -> list[int]:
    """List the powers of ten."""
    return [10**k for k in range(round(math.log10(least)), round(math.log10(most)) + 1)]
