"""Coloring on a device: by an emulated CuPy, whose CUDA text runs on the CPU; and on a GPU, if there is one."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import coloring
from coloring import device
from coloring.checker import check
from coloring.device import launching, lines
from emulated_cupy import MACHINES, counts, emulated
from emulated_cupy import cupy as cupy
from gpu_sources import check_source
from kernels.cuda import nvrtc
from kernels.cuda.racecheck import MemoryAccessError

Matrix = Any
ONE = np.ones(3)


def uploaded(cupy: Any, matrix: Matrix) -> Any:
    """The index arrays on the device."""
    csr = sp.csr_array(matrix)
    csr.sort_indices()
    return cupy.asarray(csr.indptr.astype(np.int32)), cupy.asarray(csr.indices.astype(np.int32)), csr.shape


def stencil(*lengths: int, star: bool = False) -> Matrix:
    """Neighbours on a box: all around, or along the axes."""
    bands = [sp.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]) for n in lengths]
    made = bands[0]
    for band in bands[1:]:
        made = sp.kronsum(made, band) if star else sp.kron(made, band)
    return sp.csr_array(made)


def permuted(matrix: Matrix, seed: int = 0) -> Matrix:
    """The same in an order that tells nothing."""
    order = np.random.default_rng(seed).permutation(matrix.shape[0])
    return sp.csr_array(matrix)[order][:, order]


def scattered(rows: int, columns: int, each: int, seed: int = 0) -> Matrix:
    """Some entries in each row, anywhere."""
    rng = np.random.default_rng(seed)
    places = rng.integers(columns, size=rows * each)
    made = sp.coo_array((np.ones(len(places)), (np.repeat(np.arange(rows), each), places)), shape=(rows, columns))
    return sp.csr_array(made)


PATTERNS: dict[str, Matrix] = {
    "band": sp.csr_array(sp.diags_array([1.0, 1.0, 1.0], offsets=[0, 1, 2], shape=(40, 41))),
    "five points": stencil(23, 17, star=True),
    "nine points": stencil(19, 21),
    "27 points": stencil(7, 6, 8),
    "seven points": stencil(7, 9, 8, star=True),
    "two unknowns a point": sp.kron(stencil(12, 13), np.ones((2, 2)), format="csr"),
    "two fields": sp.kron(np.ones((2, 2)), stencil(12, 13, star=True), format="csr"),
    "five points, permuted": permuted(stencil(23, 17, star=True)),
    "nine points, permuted": permuted(stencil(19, 21)),
    "27 points, permuted": permuted(stencil(7, 6, 8)),
    "scattered": scattered(300, 250, 5),
    "scattered, more columns": scattered(90, 400, 9),
    "one dense row": sp.csr_array(np.vstack([np.ones((1, 150)), np.eye(150)])),
    "one dense column": sp.csr_array(np.hstack([np.ones((80, 1)), np.eye(80)])),
    "dense": sp.csr_array(np.ones((3, 130))),
    "diagonal": sp.csr_array(np.eye(6)),
    "empty": sp.csr_array((5, 4)),
    "no columns": sp.csr_array((5, 0)),
    "no rows": sp.csr_array((0, 3)),
    "one entry": sp.csr_array(np.ones((1, 1))),
}


@pytest.mark.parametrize("problem", ["column", "row"])
@pytest.mark.parametrize("name", PATTERNS)
def test_lines_are_colored(cupy: Any, name: str, problem: Any) -> None:
    """The slow and obvious checker of the host finds nothing, and the kernel that counts collisions agrees."""
    matrix = PATTERNS[name]
    found = device.color(uploaded(cupy, matrix), problem)
    colors = cupy.asnumpy(found.colors)
    assert check(matrix, colors, problem) is None
    assert sorted(set(colors.tolist())) == list(range(found.num_colors))
    graph = lines.graph(*uploaded(cupy, matrix), by_columns=problem == "column")
    assert lines.collisions(graph, found.colors) == 0
    if len(colors):
        fullest = np.diff(matrix.indptr) if problem == "column" else np.bincount(matrix.indices, minlength=1)
        assert found.lower_bound == max(int(fullest.max(initial=1)), 1)
        assert found.lower_bound <= found.num_colors


@pytest.mark.parametrize("name", PATTERNS)
def test_few_colors(cupy: Any, name: str) -> None:
    """No more than a tenth above what the sequential greedy algorithm needs in natural order."""
    matrix = PATTERNS[name]
    found = device.color(uploaded(cupy, matrix))
    sequential = coloring.color(matrix, order="natural").num_colors
    assert found.num_colors <= 1.1 * sequential


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("band", 3), ("five points", 5), ("nine points", 9), ("27 points", 27), ("seven points", 7)),
        *(("two unknowns a point", 18), ("two fields", 10), ("diagonal", 1), ("dense", 130)),
    ],
)
def test_known_numbers(cupy: Any, name: str, number: int) -> None:
    """Bands and stencils on boxes meet the bound; a diagonal is one color, a dense row asks for all."""
    found = device.color(uploaded(cupy, PATTERNS[name]))
    assert found.num_colors == found.lower_bound == number
    assert (found.rounds == 0) == (name != "dense")


@pytest.mark.parametrize("problem", ["column", "star"])
def test_what_a_sample_does_not_show(cupy: Any, problem: Any) -> None:
    """One entry far from all others, where no sample looks: residues of the grid are not taken on trust."""
    grid = sp.lil_array(stencil(31, 37, star=True))
    grid[40, 1000] = grid[1000, 40] = 1.0
    found = device.color(uploaded(cupy, grid), problem)
    assert found.rounds > 0
    assert check(sp.csr_array(grid), cupy.asnumpy(found.colors), problem) is None
    assert device.color(uploaded(cupy, stencil(31, 37, star=True)), problem).rounds == 0


def test_collisions_are_counted(cupy: Any) -> None:
    """The kernel that checks: three columns of one color in a row are three pairs."""
    graph = lines.graph(*uploaded(cupy, sp.csr_array(np.ones((2, 3)))), by_columns=True)
    assert lines.collisions(graph, cupy.asarray(np.zeros(3, np.int32))) == 6
    assert lines.collisions(graph, cupy.asarray(np.array([0, 1, 0], np.int32))) == 2


def test_colors_are_the_same_in_every_run(cupy: Any) -> None:
    """Equal seeds give equal colors; another seed another coloring of the same quality."""
    pattern = uploaded(cupy, PATTERNS["scattered"])
    first, again, other = (cupy.asnumpy(device.color(pattern, seed=s, passes=0).colors) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_passes_never_need_more_colors(cupy: Any) -> None:
    """Each pass is greedy along the classes of a valid coloring (Culberson 1992)."""
    pattern = uploaded(cupy, scattered(200, 300, 40))
    numbers = [device.color(pattern, passes=p).num_colors for p in (0, 1, 2, 6)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1] > 64


def tree(size: int) -> Matrix:
    """Each vertex hangs on an earlier one."""
    above = np.random.default_rng(0).integers(np.maximum(np.arange(1, size), 1))
    below = np.arange(1, size)
    ends = np.concatenate([above, below]), np.concatenate([below, above])
    return sp.csr_array(sp.coo_array((np.ones(2 * len(above)), ends), shape=(size, size)))


SYMMETRIC: dict[str, Matrix] = {
    "path": stencil(30),
    "five points": stencil(9, 11, star=True),
    "nine points": stencil(11, 12),
    "nine points, permuted": permuted(stencil(11, 12)),
    "27 points": stencil(5, 6, 7),
    "27 points, permuted": permuted(stencil(5, 6, 7)),
    "scattered": scattered(150, 150, 2) + scattered(150, 150, 2).T + sp.eye_array(150),
    "tree": tree(200),
    "arrow": sp.csr_array(np.eye(40) + np.outer(np.eye(40)[0], np.ones(40)) + np.outer(np.ones(40), np.eye(40)[0])),
    "complete": sp.csr_array(np.ones((70, 70))),
    "diagonal": sp.csr_array(np.eye(5)),
    "empty": sp.csr_array((4, 4)),
    "nothing": sp.csr_array((0, 0)),
    "no diagonal": sp.csr_array(stencil(12) - sp.eye_array(12)),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_star_colorings(cupy: Any, name: str) -> None:
    """The checker of the host walks all paths on four vertices. Colors: at most a tenth above the sequential ones."""
    matrix = sp.csr_array(SYMMETRIC[name])
    matrix.eliminate_zeros()
    found = device.color(uploaded(cupy, matrix), "star")
    assert check(matrix, cupy.asnumpy(found.colors), "star") is None
    sequential = coloring.color(matrix, "star", order="natural").num_colors
    assert found.num_colors <= 1.1 * sequential
    assert found.lower_bound <= found.num_colors


def test_star_colorings_pass_by_pass(cupy: Any) -> None:
    """The best of all passes is kept: more of them never take more colors, and some save some."""
    pattern = uploaded(cupy, SYMMETRIC["scattered"])
    numbers = [device.color(pattern, "star", passes=p).num_colors for p in (0, 1, 2, 4)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > numbers[-1]


@pytest.mark.parametrize(("name", "number"), [("complete", 70), ("diagonal", 1), ("nothing", 0), ("arrow", 2)])
def test_known_star_numbers(cupy: Any, name: str, number: int) -> None:
    """A complete graph needs all colors, a graph without edges one, an arrow two."""
    assert device.color(uploaded(cupy, SYMMETRIC[name]), "star").num_colors == number


@settings(max_examples=12)
@given(st.integers(0, 12), st.integers(0, 12), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_any_pattern(rows: int, columns: int, density: float, seed: int) -> None:
    """Columns, rows, and the symmetric part of anything."""
    dense = np.random.default_rng(seed).random((rows, columns)) < density
    with emulated() as cupy:
        for problem in ("column", "row"):
            found = device.color(uploaded(cupy, sp.csr_array(dense)), problem, seed=seed % 7, passes=seed % 3)
            assert check(dense, cupy.asnumpy(found.colors), problem) is None
        size = min(rows, columns)
        square = dense[:size, :size] | dense[:size, :size].T
        found = device.color(uploaded(cupy, sp.csr_array(square)), "star", seed=seed % 7)
        assert check(square, cupy.asnumpy(found.colors), "star") is None


def test_what_is_no_pattern(cupy: Any) -> None:
    """The call, what came, the cure."""
    indptr, indices, shape = uploaded(cupy, PATTERNS["scattered"])
    with pytest.raises(ValueError, match="problem='rows'; choose one of 'column'"):
        device.color((indptr, indices, shape), "rows")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"indptr is a ndarray; pass .* of CuPy"):
        device.color((np.zeros(2, np.int32), indices, (1, 2)))
    with pytest.raises(ValueError, match="length 301, and the shape asks for 3"):
        device.color((indptr, indices, (2, 250)))
    with pytest.raises(ValueError, match=r"symmetric pattern, and it has shape \(300, 250\)"):
        device.color((indptr, indices, shape), "star")
    with pytest.raises(ValueError, match="2 entries have no mirror image"):
        device.color(uploaded(cupy, np.array([[1, 1, 1], [0, 1, 0], [0, 0, 1]])), "star")


@pytest.mark.parametrize(
    ("indptr", "indices", "what"),
    [
        ([0, 2, 1, 3], [0, 1, 2], "indptr does not rise from 0"),
        ([1, 2, 2, 3], [0, 1, 2], "indptr does not rise from 0"),
        ([0, 1, 2, 9], [0, 1, 2], "to the number of indices"),
        ([0, 1, 2, -3], [0, 1, 2], "indptr does not rise"),
        ([0, 1, 2, 3], [0, 4, 2], r"no pattern of shape \(3, 4\): an index is outside"),
        ([0, 1, 2, 3], [0, -1, 2], "an index is outside"),
        ([0, 2, 2, 3], [1, 0, 2], r"do not rise: call sum_duplicates\(\)"),
        ([0, 2, 2, 3], [1, 1, 2], "do not rise"),
    ],
)
def test_arrays_that_are_no_pattern(cupy: Any, indptr: list[int], indices: list[int], what: str) -> None:
    """They would lead out of the device's memory: nothing beyond their ends is read to find this out."""
    arrays = (cupy.asarray(np.array(part, np.int32)) for part in (indptr, indices))
    with pytest.raises(ValueError, match=what):
        device.color((*arrays, (3, 4)))
    with pytest.raises(ValueError, match="indptr does not rise from 0 to the number of indices"):
        device.color((cupy.asarray(np.zeros(1, np.int32)), cupy.asarray(np.zeros(2, np.int32)), (0, 4)))


def test_indices_of_64_bits(cupy: Any) -> None:
    """They are taken as they are, and none of them wraps around."""
    indptr, indices, shape = uploaded(cupy, PATTERNS["scattered"])
    wide = device.color((indptr.astype(np.int64), indices.astype(np.uint64), shape))
    expected = device.color((indptr, indices, shape))
    np.testing.assert_array_equal(cupy.asnumpy(wide.colors), cupy.asnumpy(expected.colors))
    for wrong in (2**32 + 1, -1, 2**31):
        far = cupy.asarray(np.array([0, wrong, 2], np.int64))
        with pytest.raises(ValueError, match=r"an index is negative, or beyond 2\*\*31 - 1"):
            device.color((cupy.asarray(np.array([0, 1, 2, 3])), far, (3, 4)))


def test_the_device_of_the_pattern() -> None:
    """Whatever the current one is; two of them are refused."""
    with emulated() as cupy:
        with cupy.cuda.Device(1):
            there = uploaded(cupy, PATTERNS["scattered"])
        found = device.color(there)
        assert found.colors.device.id == 1
        assert check(PATTERNS["scattered"], cupy.asnumpy(found.colors), "column") is None
        here = uploaded(cupy, PATTERNS["scattered"])
        with pytest.raises(ValueError, match="indptr is on device 0, and indices are on device 1; copy them to one"):
            device.color((here[0], there[1], there[2]))


def test_only_counts_come_to_the_host() -> None:
    """Neither the pattern nor the colors: one read of two numbers a round, and some of as many as there are colors."""
    with emulated() as cupy:
        pattern = uploaded(cupy, PATTERNS["scattered"])
        counts.reset()
        found = device.color(pattern, passes=0)
        assert counts.to_host <= found.rounds + 7
        assert counts.to_device == 0


def test_without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install."""
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(RuntimeError, match="install cupy-cuda12x"):
        device.color((np.zeros(1), np.zeros(0), (0, 0)))


@pytest.mark.skipif(sys.platform != "linux", reason="the race check knows Linux alone")
@pytest.mark.parametrize(
    ("right", "wrong", "races"),
    [
        ("RELAXED_STORE(once + net, 0);", "once[net] = 0;", True),
        ("atomicOr(used + net, 1ull << color);", "used[net] |= 1ull << color;", True),
        ("later[atomicAdd(counts + 1, 1u)] = vertex;", "later[counts[1]++] = vertex;", True),
        ("keeps = !loses(", "keeps = true || loses(", False),
        ("colors[vertex] = color;", "colors[vertex + 1] = color;", True),
    ],
)
def test_races_of_threads_are_seen(right: str, wrong: str, races: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All colorings of these tests were watched: what breaks a rule of the text is seen, or colors nothing."""
    broken = launching.text("lines.cu").replace(right, wrong)
    assert broken != launching.text("lines.cu")
    monkeypatch.setattr(launching, "text", lambda file: broken)
    matrix = scattered(60, 110, 40)  # more colors than a window has

    def is_valid(cupy: Any) -> bool:
        found = device.color(uploaded(cupy, matrix), passes=1)
        return check(matrix, cupy.asnumpy(found.colors), "column") is None

    with emulated() as cupy, pytest.raises(MemoryAccessError) if races else nullcontext():
        assert not is_valid(cupy)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("file", ["lines.cu", "star.cu"])
def test_nvrtc_takes_the_text(file: str, architecture: str) -> None:
    """Without warnings and without memory on the stack."""
    if nvrtc.find_library() is None:
        pytest.skip("no NVRTC (nvidia-cuda-nvrtc-cu12)")
    check_source(launching.text(file), architecture)


@pytest.mark.gpu
def test_these_tests_ran_on_a_gpu() -> None:
    """Where there is one, all tests above ran there, too."""
    assert "gpu" in MACHINES
