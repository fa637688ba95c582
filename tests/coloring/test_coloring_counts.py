"""Default effort against the fewest colors of other tools, and against known optima.

``data/counts.csv`` holds for each pattern of `families` and each problem the fewest colors of a valid coloring by five
tools, and which of them gave it: ColPack 1.0.10 of Debian in all its methods and orders, ``group_columns`` of SciPy
1.17, asdex 0.5.1, CasADi 3.8.2, and networkx 3.6 on the intersection graph. ``data/optima.csv`` holds proven bounds,
which are described in `test_coloring_exact`; where they meet, the optimum is known.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coloring import PROBLEMS, ProblemName, check, color

Row = dict[str, str]
DATA = Path(__file__).parent / "data"


def _read(name: str) -> dict[tuple[str, str], Row]:
    with (DATA / name).open(newline="") as file:
        return {(row["matrix"], row["problem"]): row for row in csv.DictReader(file)}


TOOLS, OPTIMA = _read("counts.csv"), _read("optima.csv")

# Known optima and how many of them are met. Bicolorings are searched for longest: those of large patterns are left out.
MET = {
    "column": (124, 122),
    "row": (125, 124),
    "star": (61, 60),
    "acyclic": (71, 70),
    "star_bicoloring": (86, 86),
    "acyclic_bicoloring": (83, 83),
    "distance_1": (77, 77),
    "distance_2": (76, 75),
}
LARGEST = {"star_bicoloring": 200, "acyclic_bicoloring": 200}


def test_the_tools_colored_the_same_patterns(families: ModuleType) -> None:
    digests = {matrix: row["digest"] for (matrix, _), row in TOOLS.items()}
    assert len(digests) == 122  # tools refuse matrices without rows or columns
    assert all(families.digest(families.build(matrix)) == digest for matrix, digest in digests.items())


@pytest.mark.parametrize("problem", PROBLEMS)
def test_no_tool_needs_fewer_colors_and_known_optima_are_met_as_often_as_before(
    problem: ProblemName, build: Callable[[str], Any]
) -> None:
    """Count them exactly: an improvement asks for an update."""
    known = met = 0
    for (matrix, name), row in OPTIMA.items():
        if name != problem:
            continue
        pattern = build(matrix)
        if len(pattern[1]) > LARGEST.get(problem, len(pattern[1])):
            continue
        coloring = color(pattern, problem)
        assert check(pattern, coloring) is None
        assert int(row["lower"]) <= coloring.num_colors
        assert coloring.lower_bound <= int(row["upper"])
        if (matrix, name) in TOOLS:
            assert coloring.num_colors <= int(TOOLS[matrix, name]["colors"]), matrix
        if row["lower"] == row["upper"]:
            known += 1
            met += coloring.num_colors == int(row["upper"])
    assert (known, met) == MET[problem]
