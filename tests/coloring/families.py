"""Sparsity patterns made by formula, the same on every machine and with every version of NumPy.

The families are those of the coloring literature: finite-difference stencils, bands, arrowheads, bordered blocks,
figures of Gebremedhin, Manne and Pothen (SIAM Review 47(4), 2005), random and power-law patterns, finite elements on
Delaunay triangulations, optimization problems, and graphs whose chromatic number is known (Mycielski, queens, crowns,
affine planes). Randomness is the SplitMix64 hash of a counter. `digest` names a pattern; the facts under ``data/``
carry the digest of the pattern they hold for.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Triple: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, int]]
Edges: TypeAlias = Sequence[tuple[int, int]]


def uniform(count: int, seed: int) -> npt.NDArray[np.float64]:
    """Hash a counter that starts at a place given by `seed` to floats in [0, 1)."""
    start = np.uint64((seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64)
    z = start + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53


def pattern(rows: npt.ArrayLike, columns: npt.ArrayLike, shape: tuple[int, int]) -> Triple:
    """Put an entry at each (row, column); duplicates merge."""
    width = max(shape[1], 1)
    keys = np.unique(np.asarray(rows, dtype=np.int64).ravel() * width + np.asarray(columns, dtype=np.int64).ravel())
    row, column = np.divmod(keys, width)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=shape[0]))))
    return indptr.astype(np.int32), column.astype(np.int32), shape


def digest(source: Triple) -> str:
    """Name a pattern by a hash of shape and index arrays."""
    indptr, indices, shape = source
    hashed = hashlib.sha256(np.array(shape, dtype="<i8").tobytes())
    hashed.update(indptr.astype("<i8").tobytes())
    hashed.update(indices.astype("<i8").tobytes())
    return hashed.hexdigest()[:16]


def written(text: str) -> Triple:
    """Read rows of 0 and 1 parted by blanks."""
    lines = text.split()
    places = [(i, j) for i, line in enumerate(lines) for j, c in enumerate(line) if c == "1"]
    return pattern([i for i, _ in places], [j for _, j in places], (len(lines), len(lines[0])))


# Stencils.

CROSS_3D = [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
STENCILS: dict[str, list[tuple[int, ...]]] = {
    "three_point": [(-1,), (0,), (1,)],
    "five_point": [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)],
    "nine_point": list(itertools.product((-1, 0, 1), repeat=2)),
    "star_9": [(0, 0), *(s for r in (1, 2) for s in ((r, 0), (-r, 0), (0, r), (0, -r)))],
    "diamond_13": [o for o in itertools.product(range(-2, 3), repeat=2) if abs(o[0]) + abs(o[1]) <= 2],
    "hexagon_7": [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1)],
    "upwind_2d_3": [(0, 0), (-1, 0), (0, -1)],
    "seven_point": list(CROSS_3D),
    "box_27": list(itertools.product((-1, 0, 1), repeat=3)),
}


def stencil(name: str, sides: tuple[int, ...], dofs: int = 1, periodic: bool = False) -> Triple:
    """Let each grid point depend on its stencil; with `dofs` unknowns a point, on all of them (point-major)."""
    points = np.indices(sides).reshape(len(sides), -1)
    rows, columns = [], []
    for offset in STENCILS[name]:
        there = points + np.array(offset)[:, None]
        bounds = np.array(sides)[:, None]
        keep = np.ones(points.shape[1], dtype=bool) if periodic else ((there >= 0) & (there < bounds)).all(axis=0)
        rows.append(np.flatnonzero(keep))
        columns.append(np.ravel_multi_index(tuple((there % bounds)[:, keep]), sides))
    row, column = np.concatenate(rows)[:, None, None], np.concatenate(columns)[:, None, None]
    field = np.arange(dofs)
    row, column = row * dofs + field[:, None] + 0 * field, column * dofs + 0 * field[:, None] + field
    size = int(np.prod(sides)) * dofs
    return pattern(row, column, (size, size))


# Bands, arrows, blocks.


def band(m: int, n: int, lower: int, upper: int) -> Triple:
    """Fill the diagonals from -lower to upper."""
    i = np.repeat(np.arange(m), lower + upper + 1)
    j = i + np.tile(np.arange(-lower, upper + 1), m)
    keep = (j >= 0) & (j < n)
    return pattern(i[keep], j[keep], (m, n))


def circulant(n: int, offsets: Sequence[int]) -> Triple:
    """Fill diagonals that wrap around."""
    i = np.repeat(np.arange(n), len(offsets))
    return pattern(i, (i + np.tile(offsets, n)) % n, (n, n))


def arrowhead(n: int, width: int = 1, last: bool = False) -> Triple:
    """Fill the diagonal and `width` rows and columns, first or last."""
    full = np.arange(n - width, n) if last else np.arange(width)
    r, c = np.meshgrid(full, np.arange(n), indexing="ij")
    d = np.arange(n)
    return pattern(np.r_[r.ravel(), c.ravel(), d], np.r_[c.ravel(), r.ravel(), d], (n, n))


def frame(m: int, n: int) -> Triple:
    """Fill the first and last row and column."""
    i, j = np.indices((m, n))
    keep = (i == 0) | (i == m - 1) | (j == 0) | (j == n - 1)
    return pattern(i[keep], j[keep], (m, n))


def dense(m: int, n: int) -> Triple:
    """Fill the matrix."""
    i, j = np.indices((m, n))
    return pattern(i, j, (m, n))


def empty(m: int, n: int) -> Triple:
    """Fill nothing."""
    return pattern([], [], (m, n))


def blocks(count: int, rows: int, columns: int, border_rows: int = 0, border_columns: int = 0) -> Triple:
    """Fill blocks on the diagonal, border rows below and border columns at the right."""
    m, n = count * rows + border_rows, count * columns + border_columns
    i, j = np.indices((m, n))
    keep = (i // max(rows, 1) == j // max(columns, 1)) & (i < count * rows) & (j < count * columns)
    keep |= (i >= count * rows) | (j >= count * columns)
    return pattern(i[keep], j[keep], (m, n))


def anti_diagonal(n: int) -> Triple:
    """Fill the diagonal from the top right."""
    return pattern(np.arange(n), np.arange(n)[::-1], (n, n))


def lower_triangle(n: int) -> Triple:
    """Fill the lower triangle with its diagonal."""
    i, j = np.tril_indices(n)
    return pattern(i, j, (n, n))


# Random and scattered.


def random_rectangle(m: int, n: int, count: int, seed: int) -> Triple:
    """Draw `count` entries at random (a few fall together and merge)."""
    u = uniform(2 * count, seed)
    return pattern((u[:count] * m).astype(int), (u[count:] * n).astype(int), (m, n))


def random_graph(n: int, edges: int, seed: int) -> Triple:
    """Draw a symmetric pattern with a full diagonal."""
    u = uniform(2 * edges, seed)
    return symmetric(n, np.c_[(u[:edges] * n).astype(int), (u[edges:] * n).astype(int)])


def power_law(n: int, links: int, seed: int, skew: float = 2.5) -> Triple:
    """Link each vertex to `links` others, of which few are chosen often; labels are shuffled."""
    u = uniform(n * links, seed)
    p = np.argsort(uniform(n, seed + 1), kind="stable")
    return symmetric(n, np.c_[p[np.repeat(np.arange(n), links)], p[(n * u**skew).astype(np.int64)]])


def delaunay(points: int, dimension: int, seed: int) -> Triple:
    """Couple the corners of each simplex of the Delaunay triangulation of random points in the unit cube."""
    from scipy.spatial import Delaunay

    simplices = Delaunay(uniform(dimension * points, seed).reshape(dimension, points).T).simplices
    i, j = np.indices((dimension + 1, dimension + 1))
    return pattern(simplices[:, i.ravel()], simplices[:, j.ravel()], (points, points))


def kkt(n: int, constraints: int, links: int, seed: int, dense_rows: int = 0) -> Triple:
    """Fill [H A'; A 0] with tridiagonal H, `links` entries a row of A, and some dense rows of A."""
    r = np.r_[np.repeat(np.arange(constraints), links), np.repeat(constraints + np.arange(dense_rows), n)] + n
    c = np.r_[(uniform(constraints * links, seed) * n).astype(np.int64), np.tile(np.arange(n), dense_rows)]
    i = np.arange(n)
    size = n + constraints + dense_rows
    return pattern(np.r_[i, i[:-1], i[1:], r, c], np.r_[i, i[1:], i[:-1], c, r], (size, size))


def linear_program(m: int, n: int, links: int, seed: int, dense_rows: int = 0, dense_columns: int = 0) -> Triple:
    """Put `links` entries a column in rows of uneven popularity, and some dense rows and columns."""
    popular = (m * uniform(n * links, seed) ** 1.5).astype(np.int64)
    r = np.r_[popular, np.repeat(m - 1 - np.arange(dense_rows), n), np.tile(np.arange(m), dense_columns)]
    c = np.repeat(np.arange(n), links)
    c = np.r_[c, np.tile(np.arange(n), dense_rows), np.repeat(n - 1 - np.arange(dense_columns), m)]
    p, q = (np.argsort(uniform(size, seed + k), kind="stable") for size, k in ((m, 1), (n, 2)))
    return pattern(p[r], q[c], (m, n))


def reaction_network(species: int, reactions: int, seed: int) -> Triple:
    """Couple the two reactants of each reaction to all its four species (mass-action kinetics)."""
    s = (species * uniform(4 * reactions, seed) ** 1.6).astype(np.int64).reshape(reactions, 4)
    d = np.arange(species)
    rows, columns = np.repeat(s, 2, axis=1).ravel(), np.tile(s[:, :2], (1, 4)).ravel()
    return pattern(np.r_[rows, d], np.r_[columns, d], (species, species))


# Graphs with known numbers.


def symmetric(n: int, edges: Edges | npt.NDArray[Any], diagonal: bool = True) -> Triple:
    """Fill the adjacency matrix of a graph, by default with a full diagonal."""
    e = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    d = np.arange(n if diagonal else 0)
    return pattern(np.r_[e[:, 0], e[:, 1], d], np.r_[e[:, 1], e[:, 0], d], (n, n))


def incidence(n: int, edges: Edges) -> Triple:
    """Fill one row per edge with two entries: its column intersection graph is the graph itself."""
    e = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    return pattern(np.repeat(np.arange(len(e)), 2), e, (len(e), n))


def cycle(n: int) -> Edges:
    """List the edges of a cycle."""
    return [(i, (i + 1) % n) for i in range(n)]


def complete(n: int) -> Edges:
    """List all pairs."""
    return list(itertools.combinations(range(n), 2))


def crown(n: int) -> Edges:
    """List K(n, n) without a perfect matching; the sides alternate, which makes natural greedy use n colors."""
    return [(2 * i, 2 * j + 1) for i in range(n) for j in range(n) if i != j]


def mycielski(k: int) -> tuple[int, Edges]:
    """Build the triangle-free graph of chromatic number k (k >= 2) with 2, 5, 11, 23, 47 vertices."""
    n, edges = 2, [(0, 1)]
    for _ in range(k - 2):
        edges = edges + [(a, n + b) for a, b in edges] + [(b, n + a) for a, b in edges]
        edges += [(n + i, 2 * n) for i in range(n)]
        n = 2 * n + 1
    return n, edges


def queen(n: int) -> Edges:
    """List the pairs of squares of an n x n board between which a queen moves."""
    cells = enumerate(itertools.product(range(n), repeat=2))
    return [
        (i, j)
        for (i, a), (j, b) in itertools.combinations(cells, 2)
        if a[0] == b[0] or a[1] == b[1] or abs(a[0] - b[0]) == abs(a[1] - b[1])
    ]


def petersen() -> Edges:
    """List the disjoint pairs of pairs of 5."""
    pairs = enumerate(itertools.combinations(range(5), 2))
    return [(i, j) for (i, a), (j, b) in itertools.combinations(pairs, 2) if not set(a) & set(b)]


def hypercube(d: int) -> Edges:
    """List the edges of the d-dimensional cube."""
    return [(v, v | 1 << k) for v in range(1 << d) for k in range(d) if not v >> k & 1]


def icosahedron() -> Edges:
    """List the 30 edges."""
    upper = [(0, k) for k in range(1, 6)] + [(k, k % 5 + 1) for k in range(1, 6)]
    lower = [(11, k) for k in range(6, 11)] + [(k, (k - 5) % 5 + 6) for k in range(6, 11)]
    return upper + lower + [(k, k + 5) for k in range(1, 6)] + [(k, (k - 2) % 5 + 6) for k in range(1, 6)]


def heawood() -> Edges:
    """List the incidences of points and lines of the Fano plane."""
    return [*cycle(14), *((i, (i + 5) % 14) for i in range(0, 14, 2))]


def bipartite(a: int, b: int) -> Edges:
    """List all pairs across."""
    return [(i, a + j) for i in range(a) for j in range(b)]


def tree(n: int, arity: int) -> Edges:
    """Join each vertex to its parent."""
    return [((v - 1) // arity, v) for v in range(1, n)]


def affine_plane(q: int) -> Triple:
    """Fill lines by points of the affine plane of prime order q: any two of its q * q points share a line."""
    lines = [[(x, (s * x + t) % q) for x in range(q)] for s in range(q) for t in range(q)]
    lines += [[(x, y) for y in range(q)] for x in range(q)]
    rows = [i for i, line in enumerate(lines) for _ in line]
    return pattern(rows, [x * q + y for line in lines for x, y in line], (len(lines), q * q))


FIGURE_4_1 = "110000 111011 011100 001101 010010 010101"
FIGURE_6_1 = (
    "1100001000 1110100000 0111010000 0011000001 0100110100 0010110010 1000001100 0000101110 0000010111 0001000011"
)

Builder: TypeAlias = Callable[[], Triple]


def _sides(sides: Iterable[int]) -> str:
    return "x".join(map(str, sides))


def _stencils() -> dict[str, Builder]:
    plain: list[tuple[str, tuple[int, ...]]] = [
        *(("five_point", sides) for sides in ((4, 5), (6, 7), (10, 10), (20, 30))),
        *(("nine_point", sides) for sides in ((6, 7), (20, 20))),
        *(("star_9", (8, 9)), ("diamond_13", (8, 9)), ("hexagon_7", (7, 8)), ("upwind_2d_3", (6, 7))),
        *(("seven_point", (3, 4, 5)), ("seven_point", (6, 6, 6)), ("box_27", (4, 4, 4))),
    ]
    periodic: list[tuple[str, tuple[int, ...]]] = [
        *(("three_point", (side,)) for side in (9, 10, 11)),
        *(("five_point", sides) for sides in ((5, 5), (6, 6), (7, 8), (10, 10))),
        *(("nine_point", (6, 6)), ("nine_point", (7, 7)), ("seven_point", (7, 7, 7)), ("seven_point", (4, 4, 4))),
    ]
    made: dict[str, Builder] = {f"{name}_{_sides(sides)}": partial(stencil, name, sides) for name, sides in plain}
    made |= {f"{name}_periodic_{_sides(s)}": partial(stencil, name, s, periodic=True) for name, s in periodic}
    return made | {"five_point_3_dofs_4x5": partial(stencil, "five_point", (4, 5), dofs=3)}


def _structured() -> dict[str, Builder]:
    bands = ((1, 1), (2, 2), (5, 5), (10, 10), (2, 4))
    made: dict[str, Builder] = {f"band_30_{low}_{up}": partial(band, 30, 30, low, up) for low, up in bands}
    return made | {
        "empty_0x0": partial(empty, 0, 0),
        "empty_0x5": partial(empty, 0, 5),
        "empty_5x0": partial(empty, 5, 0),
        "zero_4x6": partial(empty, 4, 6),
        "dense_1x1": partial(dense, 1, 1),
        "dense_1x7": partial(dense, 1, 7),
        "dense_7x1": partial(dense, 7, 1),
        "dense_4x6": partial(dense, 4, 6),
        "identity_9": partial(band, 9, 9, 0, 0),
        "survey_figure_4_1": partial(written, FIGURE_4_1),
        "survey_figure_6_1": partial(written, FIGURE_6_1),
        "anti_diagonal_4": partial(anti_diagonal, 4),
        "triangle_3": partial(written, "110 011 101"),
        "frame_10x20": partial(frame, 10, 20),
        "lower_triangle_8": partial(lower_triangle, 8),
        "band_20x30_3_1": partial(band, 20, 30, 3, 1),
        "band_1000_5_5": partial(band, 1000, 1000, 5, 5),
        "band_1000_10_10": partial(band, 1000, 1000, 10, 10),
        "bidiagonal_20": partial(band, 20, 20, 0, 1),
        "circulant_13_perfect": partial(circulant, 13, (0, 1, 3, 9)),
        "circulant_20_0_1_4": partial(circulant, 20, (0, 1, 4)),
        "arrowhead_12": partial(arrowhead, 12),
        "arrowhead_last_12": partial(arrowhead, 12, last=True),
        "arrowhead_20_width_2": partial(arrowhead, 20, 2),
        "arrowhead_100": partial(arrowhead, 100),
        "block_diagonal_5x4x4": partial(blocks, 5, 4, 4),
        "block_diagonal_6x3x5": partial(blocks, 6, 3, 5),
        "bordered_5x3x3_1_1": partial(blocks, 5, 3, 3, 1, 1),
        "bordered_8x2x2_2_2": partial(blocks, 8, 2, 2, 2, 2),
        "bordered_6x3x2_1_0": partial(blocks, 6, 3, 2, 1, 0),
        "bordered_6x2x3_0_1": partial(blocks, 6, 2, 3, 0, 1),
    }


def _scattered() -> dict[str, Builder]:
    made: dict[str, Builder] = {}
    for count in (20, 40, 60, 80, 120):
        made[f"random_10x20_{count}"] = partial(random_rectangle, 10, 20, count, count)
        made[f"random_20x10_{count}"] = partial(random_rectangle, 20, 10, count, 1000 + count)
    larger = ((30, 40, 120, 7), (40, 30, 120, 8), (60, 60, 180, 9), (100, 100, 400, 10), (400, 500, 2000, 11))
    made |= {f"random_{m}x{n}_{k}": partial(random_rectangle, m, n, k, seed) for m, n, k, seed in larger}
    graphs = ((20, 30, 20), (30, 60, 21), (40, 80, 22), (60, 100, 23), (200, 500, 24))
    made |= {f"random_graph_{n}_{edges}": partial(random_graph, n, edges, seed) for n, edges, seed in graphs}
    powers = ((60, 2, 30), (150, 2, 31), (500, 3, 32))
    made |= {f"power_law_{n}_{links}": partial(power_law, n, links, seed) for n, links, seed in powers}
    made |= {f"triangulation_{n}": partial(delaunay, n, 2, seed) for n, seed in ((30, 40), (60, 41), (300, 42))}
    return made | {
        "tetrahedra_60": partial(delaunay, 60, 3, 43),
        "kkt_12_4": partial(kkt, 12, 4, 3, 50),
        "kkt_20_6_dense_1": partial(kkt, 20, 6, 2, 51, 1),
        "linear_program_15x40": partial(linear_program, 15, 40, 3, 60),
        "linear_program_12x20_dense_2_1": partial(linear_program, 12, 20, 2, 61, 2, 1),
        "linear_program_100x300_dense_1_1": partial(linear_program, 100, 300, 3, 62, 1, 1),
        "reaction_network_30": partial(reaction_network, 30, 25, 70),
        "reaction_network_200": partial(reaction_network, 200, 180, 71),
    }


def _graphs() -> dict[str, Builder]:
    made: dict[str, Builder] = {f"cycle_{n}": partial(symmetric, n, cycle(n)) for n in (4, 5, 6, 7)}
    made |= {f"crown_{n}": partial(symmetric, 2 * n, crown(n)) for n in (5, 8, 30)}
    made |= {f"queen_{n}_incidence": partial(incidence, n * n, queen(n)) for n in (5, 6, 7)}
    made |= {f"mycielski_{k}_incidence": partial(incidence, *mycielski(k)) for k in (5, 6)}
    return made | {
        "path_10": partial(band, 10, 10, 1, 1),
        "complete_bipartite_3_3": partial(symmetric, 6, bipartite(3, 3)),
        "complete_bipartite_4_7": partial(symmetric, 11, bipartite(4, 7)),
        "petersen": partial(symmetric, 10, petersen()),
        "hypercube_3": partial(symmetric, 8, hypercube(3)),
        "hypercube_4": partial(symmetric, 16, hypercube(4)),
        "icosahedron": partial(symmetric, 12, icosahedron()),
        "heawood": partial(symmetric, 14, heawood()),
        "grotzsch": partial(symmetric, *mycielski(4)),
        "mycielski_5": partial(symmetric, *mycielski(5)),
        "binary_tree_31": partial(symmetric, 31, tree(31, 2)),
        "ternary_tree_40": partial(symmetric, 40, tree(40, 3)),
        "petersen_no_diagonal": partial(symmetric, 10, petersen(), diagonal=False),
        "crown_5_no_diagonal": partial(symmetric, 10, crown(5), diagonal=False),
        "grotzsch_incidence": partial(incidence, *mycielski(4)),
        "complete_7_incidence": partial(incidence, 7, complete(7)),
        "crown_8_incidence": partial(incidence, 16, crown(8)),
        "affine_plane_3": partial(affine_plane, 3),
        "affine_plane_5": partial(affine_plane, 5),
    }


MATRICES: dict[str, Builder] = _stencils() | _structured() | _scattered() | _graphs()


def build(name: str) -> Triple:
    """Make a pattern by its name."""
    return MATRICES[name]()
