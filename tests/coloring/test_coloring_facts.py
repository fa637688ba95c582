"""The colorings against proven bounds and known counts.

``data/partial_distance_2.csv`` holds for each pattern of `families` and both problems: the digest of the pattern; a
proven lower bound, by the reason given in ``lower_bound_by`` (searches with the SAT solver Glucose 4, checked against
enumeration on small matrices); the best count known; the optimum where the two meet; and the count of the greedy
coloring in natural order, which is the same for every correct tool, with the tools (ColPack 1.0.10 of Debian, SciPy's
``group_columns``, CasADi) that gave it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coloring import ORDERS, Coloring, OrderName, ProblemName, check, color, lower_bound

with (Path(__file__).parent / "data" / "partial_distance_2.csv").open(newline="") as _file:
    FACTS = list(csv.DictReader(_file))
FACT = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact['matrix']}-{fact['problem']}")
Build = Callable[..., Any]


@FACT
def test_the_pattern_is_the_one_the_facts_are_about(fact: dict[str, Any], families: ModuleType) -> None:
    pattern = families.build(fact["matrix"])
    assert families.digest(pattern) == fact["digest"]
    assert pattern[2] == (int(fact["rows"]), int(fact["columns"]))


@pytest.fixture(scope="module")
def color_all(build: Build) -> Build:
    """Color in every order, once for all tests."""

    @cache
    def colorings(matrix: str, problem: ProblemName) -> dict[OrderName, Coloring]:
        pattern = build(matrix)
        names: Any = ORDERS
        return {name: color(pattern, problem, name) for name in names}

    return colorings


@FACT
def test_every_order_is_valid_and_within_the_bounds(fact: dict[str, Any], build: Build, color_all: Build) -> None:
    pattern = build(fact["matrix"])
    for coloring in color_all(fact["matrix"], fact["problem"]).values():
        assert check(pattern, coloring) is None
        assert coloring.lower_bound <= int(fact["upper"])
        assert int(fact["lower"]) <= coloring.num_colors
        assert set(coloring.colors.tolist()) == set(range(coloring.num_colors))


@FACT
def test_natural_order_has_the_count_of_other_tools(fact: dict[str, Any], color_all: Build) -> None:
    if fact["natural"]:
        assert color_all(fact["matrix"], fact["problem"])["natural"].num_colors == int(fact["natural"])
    else:  # tools refuse matrices without rows or columns
        assert int(fact["nnz"]) == 0


@FACT
def test_a_net_or_clique_bound_is_found(fact: dict[str, Any], build: Build) -> None:
    bound = lower_bound(build(fact["matrix"]), fact["problem"], effort=0)
    assert len(bound.witness) == bound.value
    by_search = "SAT" in fact["lower_bound_by"] or fact["matrix"] == "heawood"
    assert bound.value < int(fact["lower"]) if by_search else bound.value == int(fact["lower"])


def test_known_optima_are_met_as_often_as_before(color_all: Build) -> None:
    """Count them exactly: an improvement asks for an update."""
    known = [fact for fact in FACTS if fact["optimum"]]
    met = dict.fromkeys(ORDERS, 0)
    for fact in known:
        for name, coloring in color_all(fact["matrix"], fact["problem"]).items():
            met[name] += coloring.num_colors == int(fact["optimum"])
    assert len(known) == 249
    assert met == {
        "natural": 168,
        "random": 135,
        "largest_first": 186,
        "smallest_last": 201,
        "incidence_degree": 187,
        "dynamic_largest_first": 178,
    }
