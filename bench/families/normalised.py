"""Rows of a matrix, each divided by its length: dense blocks along the diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.families.family import Family, Floats, Problem, start

WIDTH = 8


def make(n: int) -> Problem:
    """About n unknowns, in rows of eight."""
    rows = max(n // WIDTH, 1)

    def normalised(x: Floats) -> Any:
        X = x.reshape(-1, WIDTH)
        return (X / np.linalg.norm(X, axis=1, keepdims=True)).ravel()

    return Problem(normalised, start(WIDTH * rows), {"rows": rows, "width": WIDTH})


FAMILY = Family("normalised", "rows divided by their norms: diagonal blocks", make)
