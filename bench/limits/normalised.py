"""Normalised rows: the block of each row is (1 - y y') / length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bench.families.family import Problem
from bench.limits.limit import Limit, csr, kernel

WIDTH = 8


@kernel
def _line(
    block: Any,
    k: int,
    s: float,
    a: float,
    b: float,
    c: float,
    d: float,
    e: float,
    f: float,
    g: float,
    h: float,
) -> None:
    block[k], block[k + 1], block[k + 2], block[k + 3] = s * a, s * b, s * c, s * d
    block[k + 4], block[k + 5], block[k + 6], block[k + 7] = s * e, s * f, s * g, s * h


@kernel
def _write(x: Any, data: Any) -> None:
    for r in range(x.size // WIDTH):
        row, block = x[WIDTH * r : WIDTH * (r + 1)], data[WIDTH * WIDTH * r : WIDTH * WIDTH * (r + 1)]
        a, b, c, d, e, f, g, h = row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7]
        square = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h
        inverse = 1.0 / math.sqrt(square)
        cube = -inverse / square
        _line(block, 0, cube * a, a, b, c, d, e, f, g, h)
        _line(block, 8, cube * b, a, b, c, d, e, f, g, h)
        _line(block, 16, cube * c, a, b, c, d, e, f, g, h)
        _line(block, 24, cube * d, a, b, c, d, e, f, g, h)
        _line(block, 32, cube * e, a, b, c, d, e, f, g, h)
        _line(block, 40, cube * f, a, b, c, d, e, f, g, h)
        _line(block, 48, cube * g, a, b, c, d, e, f, g, h)
        _line(block, 56, cube * h, a, b, c, d, e, f, g, h)
        for i in range(WIDTH):
            block[(WIDTH + 1) * i] += inverse


def make(problem: Problem) -> Limit:
    """Write block by block."""
    rows, width = problem.data["rows"], problem.data["width"]
    block = np.arange(rows)[:, None, None] * width
    i, j = np.arange(width)[:, None], np.arange(width)
    return Limit({"numba": _write}, csr((block + i + 0 * j).ravel(), (block + 0 * i + j).ravel(), rows * width))
