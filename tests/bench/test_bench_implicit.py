"""The case on implicit functions: it runs at tiny sizes, and counts what differences would cost."""

from __future__ import annotations

import pytest

from bench.cases.implicit import BARS, COLUMNS, FAMILIES, _row, measure

EXPECTED = {
    "bratu by its rate": (16, 1, 2),  # entries, parameters, solutions for differences
    "bratu by a field": (16, 16, 17),
    "cells": (2 * 16, 16, 3),
    "chain": (3 * 16, 3, 4),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_measures(family: str) -> None:
    found = measure(family, 16, 0.01)
    assert (found["entries"], found["m"], found["solutions"]) == EXPECTED[family]
    assert found["what"] in BARS
    assert set(found["seconds"]) == {"solution", "ours"}
    assert len(_row(family, found)) == len(COLUMNS)
