"""The benchmark of colorings: its own check, its tools, and that it runs and writes what it found."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from bench import coloring
from bench.colorings import loops, measure, sections
from bench.colorings.measure import number_of_colors
from bench.colorings.patterns import GENERATORS, as_matrix, as_triple, families, is_symmetric, load
from bench.colorings.tools import TOOLS
from bench.colorings.validity import is_valid
from bench.result import CaseResult, Figure, Outcome
from coloring import check
from in_process import Here

PATH = as_triple(np.eye(4) + np.eye(4, k=1) + np.eye(4, k=-1))
RECTANGLE = as_triple(np.array([[1, 1, 0, 0, 1], [0, 1, 1, 0, 0], [0, 0, 1, 1, 1]]))


@pytest.mark.parametrize(
    ("problem", "colors", "valid"),
    [
        ("column", [0, 1, 2, 0], True),
        ("column", [0, 1, 0, 1], False),
        ("column", [0, 1, 2, -1], False),
        ("row", [0, 1, 2, 0], True),
        ("row", [0, 1, 2, 1], False),
        ("star", [0, 1, 2, 0], True),
        ("star", [0, 1, 0, 1], False),
        ("star", [0, 0, 1, 2], False),
        ("acyclic", [0, 1, 0, 1], True),
        ("acyclic", [0, 1, 1, 0], False),
        ("star_bicoloring", [-1, -1, -1, -1, 0, 1, 2, 0], True),
        ("star_bicoloring", [-1, -1, -1, -1, 0, 1, 0, 1], False),
        ("acyclic_bicoloring", [0, 0, 0, 0, 0, 1, 0, 1], True),
        ("acyclic_bicoloring", [0, 0, 0, 0, 0, 0, 1, 1], False),  # two rows and two columns make a cycle
        ("acyclic_bicoloring", [-1, -1, -1, -1, 0, 1, 2, 0], True),
        ("acyclic_bicoloring", [-1, -1, -1, -1, 0, 1, 0, 1], False),  # across the second row
        ("acyclic_bicoloring", [-1, 0, 0, 0, -1, 0, 0, 0], False),  # the first entry is in no product
        ("column", [0, 1, 2], False),
    ],
)
def test_check_knows_the_path(problem: str, colors: list[int], valid: bool) -> None:
    assert is_valid(problem, PATH, np.array(colors)) is valid


def test_cycle_of_two_colors_is_not_acyclic() -> None:
    four, five = (as_triple(as_matrix(families().symmetric(n, families().cycle(n)))) for n in (4, 5))
    assert not is_valid("acyclic", four, np.array([0, 1, 0, 1]))
    assert is_valid("acyclic", four, np.array([0, 1, 0, 2]))
    assert is_valid("acyclic", five, np.array([0, 1, 0, 1, 2]))


@pytest.mark.parametrize("problem", ["column", "row", "star", "acyclic", "star_bicoloring", "acyclic_bicoloring"])
def test_check_agrees_with_the_checker(problem: Any) -> None:
    rng = np.random.default_rng(5)
    verdicts = set()
    for size in range(2, 7):
        for _ in range(40):
            dense = rng.random((size, size)) < 0.4
            dense = dense | dense.T | np.eye(size, dtype=bool) if problem in ("star", "acyclic") else dense
            triple = as_triple(dense.astype(np.int8))
            sides = 2 if problem.endswith("bicoloring") else 1
            colors = rng.integers(-1 if sides == 2 else 0, 4, sides * size)
            expected = check(dense, colors, problem) is None
            assert is_valid(problem, triple, colors) is expected
            verdicts.add(expected)
    assert verdicts == {True, False}


@pytest.mark.parametrize("name", [name for name in TOOLS if name != "coloring"])
def test_tools_color_validly(name: str) -> None:
    tool = TOOLS[name]
    if tool.missing:
        pytest.skip(tool.missing)
    for problem, ways in tool.problems.items():
        triple = PATH if problem in ("star", "acyclic") else RECTANGLE
        fewest = {"column": 3, "row": 2, "star": 3, "acyclic": 2, "star_bicoloring": 2}[problem]
        for method, order in ways[:2]:
            colors, seconds = tool.color(triple, problem, method, order)
            assert is_valid(problem, triple, colors), (problem, method, order)
            assert number_of_colors(problem, triple, colors) >= fewest
            assert seconds > 0


@pytest.mark.parametrize("family", GENERATORS)
def test_families_have_about_the_size_asked_for(family: str, tmp_path: Path) -> None:
    triple = load(f"{family}:3000", str(tmp_path))
    assert 1500 < len(triple[1]) < 6000
    assert as_matrix(triple).has_canonical_format
    assert is_symmetric(triple) is (family != "random")
    again = load(f"{family}:3000", str(tmp_path))
    np.testing.assert_array_equal(again[1], triple[1])


def test_published_counts_name_their_sources() -> None:
    with (sections.DATA / "published.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert all(row["source"] and int(row["colors"]) > 0 for row in rows)
    assert "360 (greedy partial distance-2)" in sections._published()["lp_cre_a", "column", "natural"]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but small patterns, in this process."""
    monkeypatch.setattr(coloring, "Launcher", lambda *_: Here())
    monkeypatch.setattr(measure, "LARGE", {})
    monkeypatch.setattr(measure, "LARGE_GRID", "five_point:10000")


@pytest.mark.usefixtures("here")
def test_sections_print_figures_and_write_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, page, matrix = tmp_path / "result.json", tmp_path / "result.md", tmp_path / "rectangle.mtx"
    scipy.io.mmwrite(matrix, as_matrix(RECTANGLE))
    asked = ["--section", "threads", "--section", "files", "--matrix", str(matrix)]
    assert coloring.main(["--quick", *asked, "--json", str(file), "--markdown", str(page), "--width", "160"]) == 0
    assert "box_27" in capsys.readouterr().out
    threads, files = json.loads(file.read_text(encoding="utf-8"))["cases"]
    same = [figure for figure in threads["figures"] if "the greedy colors" in figure["name"]]
    assert len(same) == 6
    assert all(figure["met"] is True for figure in same)
    natural = [row for row in files["tables"][0]["rows"] if row[1:3] == ["column", "natural"]]
    assert [row[4] for row in natural] == [3]
    assert "| rectangle.mtx | column | natural |" in page.read_text(encoding="utf-8")


def test_an_interruption_keeps_the_sections_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"

    def interrupted(console: object, name: str, folder: str, options: object) -> CaseResult:
        if name == "growth":
            raise KeyboardInterrupt
        return CaseResult(name, "the first one", Outcome((Figure("a figure", 1.0),)), 0.0)

    monkeypatch.setattr(coloring, "run_section", interrupted)
    asked = ["--section", "small", "--section", "small", "--section", "growth", "--json", str(file)]
    assert coloring.main(asked) == 130
    assert "interrupted in the section growth" in capsys.readouterr().out
    assert [case["case"] for case in json.loads(file.read_text(encoding="utf-8"))["cases"]] == ["small"]


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (["--most", "9999"], "--most: invalid"),
        (["--most", "nan"], "--most: invalid"),
        (["--section", "none"], "invalid choice: 'none'"),
        (["--section", "files"], "files needs --matrix"),
        (["--matrix", "nowhere.mtx"], "nowhere.mtx: no Matrix Market file"),
        (["--matrix", __file__], "no Matrix Market file"),
        (["--patterns", __file__], "--patterns"),
        (["--seconds", "0"], "--seconds: invalid"),
    ],
)
def test_bad_options_are_refused(asked: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        coloring.main(asked)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_matrices_that_no_section_reads_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = tmp_path / "rectangle.mtx"
    scipy.io.mmwrite(matrix, as_matrix(RECTANGLE))
    with pytest.raises(SystemExit):
        coloring.main(["--section", "small", "--matrix", str(matrix)])
    assert "add --section files" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [1, 9_000, 3 << loops.BITS, (3 << loops.BITS) + 5])
@pytest.mark.parametrize("sorting", [loops._straight, loops._by_buckets])
def test_the_plain_loops_bring_all_entries_into_columns(sorting: Any, columns: int) -> None:
    matrix = scipy.sparse.random_array((700, columns), density=0.01, format="csr", rng=np.random.default_rng(3))
    indptr, indices = (index.astype(np.uint32) for index in (matrix.indptr, matrix.indices))
    pointers, places = np.empty(columns + 1, np.uint32), np.zeros(columns, np.uint32)
    owners = np.empty(len(indices), np.uint32)
    sorting(indptr, indices, pointers, places, owners)
    transposed = matrix.tocsc()
    np.testing.assert_array_equal(pointers, transposed.indptr)
    np.testing.assert_array_equal(owners, transposed.indices)
