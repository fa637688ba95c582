"""A diagonal with one dense row, and one with one dense column."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Family, Floats, Problem, start


def make_row(n: int) -> Problem:
    """Return n unknowns, all of which the first result takes in."""

    def with_dense_row(x: Floats) -> Floats:
        y = x * x * x
        y[0] = np.dot(x, x)
        return y

    return Problem(with_dense_row, start(n), {"n": n})


def make_column(n: int) -> Problem:
    """Return n unknowns, the first of which all results take in."""

    def with_dense_column(x: Floats) -> Any:
        return x[0] * x + x * x

    return Problem(with_dense_column, start(n), {"n": n})


ROW = Family("dense_row", "a diagonal and one dense row", make_row)
COLUMN = Family("dense_column", "a diagonal and one dense column", make_column)
