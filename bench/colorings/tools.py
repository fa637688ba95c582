"""The tools: each colors a pattern and says how long it took, input conversion left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from bench.clock import timed
from bench.colorings import colpack
from bench.colorings.patterns import Triple, as_matrix, as_triple

Found: TypeAlias = tuple[npt.NDArray[Any], float]


@dataclass(frozen=True)
class Tool:
    """A tool.

    Parameters
    ----------
    name : str
    module : str
        What has to be installed; empty for ColPack, which is compiled.
    problems : dict
        For each problem the ways to color, as (method, order).
    color : callable
        ``color(triple, problem, method, order) -> (colors, seconds)``.
    largest : int
        Entries beyond which it is not asked.
    """

    name: str
    module: str
    problems: dict[str, tuple[tuple[str, str], ...]]
    color: Callable[[Triple, str, str, str], Found]
    largest: int = 10**8

    @property
    def missing(self) -> str | None:
        """Say what is not installed, or None."""
        if not self.module:
            return colpack.missing()
        return None if find_spec(self.module) is not None else f"{self.module} is not installed"


def _ours(triple: Triple, problem: str, method: str, order: str) -> Found:
    import coloring

    pattern = coloring.as_pattern(triple)
    chosen: Any = None if order == "default" else order
    result, seconds = timed(lambda: coloring.color(pattern, problem, chosen))  # type: ignore[arg-type]
    return result.colors, seconds


def _colpack(triple: Triple, problem: str, method: str, order: str) -> Found:
    return colpack.color(triple, method, order)


def _scipy(triple: Triple, problem: str, method: str, order: str) -> Found:
    from scipy.optimize._numdiff import group_columns

    matrix = as_matrix(triple)
    matrix = matrix if problem == "column" else matrix.T.tocsr()
    return timed(lambda: group_columns(matrix, order=np.arange(matrix.shape[1])))


def _casadi(triple: Triple, problem: str, method: str, order: str) -> Found:
    import casadi

    # CasADi stores columns, so our rows are the columns of its transposed matrix.
    indptr, indices, (m, n) = triple
    sparsity = casadi.Sparsity(n, m, indptr.tolist(), indices.tolist())
    if method == "uni_coloring":
        sparsity = sparsity.T if problem == "column" else sparsity
        groups, seconds = timed(sparsity.uni_coloring)
    else:
        groups, seconds = timed(lambda: getattr(sparsity, method)(int(order == "largest_first")))
    sizes = np.diff(np.array(groups.colind()))
    colors = np.full(groups.shape[0], -1, dtype=np.int32)
    colors[np.array(groups.row(), dtype=np.int64)] = np.repeat(np.arange(len(sizes)), sizes)
    return colors, seconds


def _asdex(triple: Triple, problem: str, method: str, order: str) -> Found:
    import asdex

    indptr, indices, shape = triple
    rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(indptr))
    pattern = asdex.SparsityPattern(rows=rows, cols=indices.astype(np.int32), shape=shape)
    found, seconds = timed(lambda: getattr(asdex, method)(pattern))
    return np.asarray(found[0]), seconds


def _networkx(triple: Triple, problem: str, method: str, order: str) -> Found:
    import networkx

    matrix = as_matrix(triple).astype(np.int32)
    meeting = as_triple(matrix.T @ matrix if problem == "column" else matrix @ matrix.T)
    graph = networkx.from_scipy_sparse_array(as_matrix(meeting))
    graph.remove_edges_from(list(networkx.selfloop_edges(graph)))
    found, seconds = timed(lambda: networkx.greedy_color(graph, strategy=order))
    return np.array([found[v] for v in range(graph.number_of_nodes())], dtype=np.int32), seconds


def _ways(method: str, *orders: str) -> tuple[tuple[str, str], ...]:
    return tuple((method, order) for order in orders)


_PARTIAL = ("natural", "largest_first", "smallest_last", "incidence_degree", "dynamic_largest_first")
_SYMMETRIC = (*_PARTIAL, "distance_two_largest_first", "distance_two_smallest_last", "distance_two_incidence_degree")
_NETWORKX = (
    "largest_first",
    "smallest_last",
    "saturation_largest_first",
    "independent_set",
    "connected_sequential_bfs",
)

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            "coloring",
            "coloring",
            {p: _ways("", "default") for p in ("column", "row", "star", "acyclic", "star_bicoloring")},
            _ours,
        ),
        Tool(
            "ColPack",
            "",
            {
                "column": _ways("column", *_PARTIAL),
                "row": _ways("row", *_PARTIAL),
                "star": (*_ways("star", *_SYMMETRIC), *_ways("restricted_star", *_SYMMETRIC)),
                "acyclic": _ways("acyclic", *_SYMMETRIC),
                "star_bicoloring": (*_ways("star_bicoloring", *_PARTIAL), *_ways("greedy_bicoloring", *_PARTIAL)),
            },
            _colpack,
        ),
        Tool("SciPy", "scipy", {p: _ways("group_columns", "natural") for p in ("column", "row")}, _scipy),
        Tool(
            "CasADi",
            "casadi",
            {
                "column": _ways("uni_coloring", "natural"),
                "row": _ways("uni_coloring", "natural"),
                "star": (
                    *_ways("star_coloring", "natural", "largest_first"),
                    *_ways("star_coloring2", "natural", "largest_first"),
                ),
            },
            _casadi,
        ),
        Tool(
            "asdex",
            "asdex",
            {
                "column": _ways("color_cols", "largest_first"),
                "row": _ways("color_rows", "largest_first"),
                "star": _ways("color_symmetric", "largest_first"),
            },
            _asdex,
            largest=10**6,
        ),
        Tool(
            "networkx",
            "networkx",
            {"column": _ways("greedy_color", *_NETWORKX), "row": _ways("greedy_color", *_NETWORKX)},
            _networkx,
            largest=10**5,
        ),
    )
}
