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
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from coloring import ORDERS, OrderName, best_of, check, color, lower_bound

with (Path(__file__).parent / "data" / "partial_distance_2.csv").open(newline="") as _file:
    FACTS = list(csv.DictReader(_file))
FACT = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact['matrix']}-{fact['problem']}")
Build = Callable[[str], Any]


@FACT
def test_the_pattern_is_the_one_the_facts_are_about(fact: dict[str, Any], families: ModuleType) -> None:
    pattern = families.build(fact["matrix"])
    assert families.digest(pattern) == fact["digest"]
    assert pattern[2] == (int(fact["rows"]), int(fact["columns"]))


@FACT
def test_every_order_is_valid_and_within_the_bounds(fact: dict[str, Any], build: Build) -> None:
    pattern = build(fact["matrix"])
    name: OrderName
    for name in ORDERS:  # type: ignore[assignment]
        coloring = color(pattern, fact["problem"], name)
        assert check(pattern, coloring) is None
        assert coloring.lower_bound <= int(fact["upper"])
        assert int(fact["lower"]) <= coloring.num_colors
        assert set(coloring.colors.tolist()) == set(range(coloring.num_colors))


@FACT
def test_natural_order_has_the_count_of_other_tools(fact: dict[str, Any], build: Build) -> None:
    if fact["natural"]:
        assert color(build(fact["matrix"]), fact["problem"], "natural").num_colors == int(fact["natural"])
    else:  # tools refuse matrices without rows or columns
        assert int(fact["nnz"]) == 0


@FACT
def test_a_net_or_clique_bound_is_found(fact: dict[str, Any], build: Build) -> None:
    bound = lower_bound(build(fact["matrix"]), fact["problem"])
    assert len(bound.witness) == bound.value
    by_search = "SAT" in fact["lower_bound_by"] or fact["matrix"] == "heawood"
    assert bound.value < int(fact["lower"]) if by_search else bound.value == int(fact["lower"])


def test_known_optima_are_met_as_often_as_before(build: Build) -> None:
    """Count them exactly: an improvement asks for an update."""
    met = dict.fromkeys((*ORDERS, "best_of"), 0)
    known = [fact for fact in FACTS if fact["optimum"]]
    for fact in known:
        pattern, optimum = build(fact["matrix"]), int(fact["optimum"])
        problem: Any = fact["problem"]
        for name in ORDERS:
            met[name] += color(pattern, problem, name).num_colors == optimum  # type: ignore[arg-type]
        met["best_of"] += best_of(pattern, problem).num_colors == optimum
    assert len(known) == 249
    assert met == {"natural": 168, "random": 135, "largest_first": 186, "smallest_last": 201, "best_of": 207}
