"""Loops of `kernels.products`, written for numba; plain Python runs them too, slowly."""

from __future__ import annotations

from typing import Any

import numpy as np

ONE = np.uint64(1)


def gather(start: int, stop: int, slots: Any, source: Any, out: Any) -> None:
    """``out[t] = source[slots[t]]``."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[t] = source[slots[t]]


def copy_runs(start: int, stop: int, indptr: Any, slots: Any, source: Any, out: Any) -> None:
    """``out[q] = source[slots[t] + q - indptr[t]]`` for q in the range t of `indptr`."""
    for t in range(np.uint64(start), np.uint64(stop)):
        begin, slot = np.uint64(indptr[t]), np.uint64(slots[t])
        for q in range(begin, np.uint64(indptr[t + ONE])):
            out[q] = source[slot + (q - begin)]


def place(start: int, stop: int, positions: Any, slots: Any, source: Any, out: Any) -> None:
    """``out[positions[t]] = source[slots[t]]``."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[positions[t]] = source[slots[t]]


def copy(start: int, stop: int, source: Any, out: Any) -> None:
    """``out[t] = source[t]``."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[t] = source[t]


def add_at(start: int, stop: int, positions: Any, source: Any, out: Any) -> None:
    """``out[positions[t]] += source[positions[t]]``; no position comes twice."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[positions[t]] += source[positions[t]]


def subtract_along(start: int, stop: int, targets: Any, positions: Any, out: Any) -> None:
    """``out[targets[t]] -= out[positions[t]]``, one after the other."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[targets[t]] -= out[positions[t]]


def zero(start: int, stop: int, out: Any) -> None:
    """``out[t] = 0.0``."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[t] = 0.0


def slot_sums(start: int, stop: int, indptr: Any, slots: Any, source: Any, out: Any) -> None:
    """``out[t] = sum of source[slots[q]]`` over the range t of `indptr`."""
    for t in range(np.uint64(start), np.uint64(stop)):
        total = 0.0
        for q in range(np.uint64(indptr[t]), np.uint64(indptr[t + ONE])):
            total += source[slots[q]]
        out[t] = total


def add_sums(start: int, stop: int, positions: Any, indptr: Any, slots: Any, source: Any, out: Any) -> None:
    """``out[positions[t]] += source[slots[q]]`` over the range t of `indptr`, one after the other."""
    for t in range(np.uint64(start), np.uint64(stop)):
        total = out[positions[t]]
        for q in range(np.uint64(indptr[t]), np.uint64(indptr[t + ONE])):
            total += source[slots[q]]
        out[positions[t]] = total


def subtract_sums(start: int, stop: int, positions: Any, indptr: Any, slots: Any, out: Any) -> None:
    """``out[positions[t]] -= out[slots[q]]`` over the range t of `indptr`, one after the other."""
    for t in range(np.uint64(start), np.uint64(stop)):
        total = out[positions[t]]
        for q in range(np.uint64(indptr[t]), np.uint64(indptr[t + ONE])):
            total -= out[slots[q]]
        out[positions[t]] = total


def pair_sums(
    start: int, stop: int, indptr: Any, left_slots: Any, right_slots: Any, left: Any, right: Any, out: Any
) -> None:
    """``out[t] = sum of left[left_slots[q]] * right[right_slots[q]]`` over the range t of `indptr`."""
    for t in range(np.uint64(start), np.uint64(stop)):
        total = 0.0
        for q in range(np.uint64(indptr[t]), np.uint64(indptr[t + ONE])):
            total += left[left_slots[q]] * right[right_slots[q]]
        out[t] = total


def pair_products(start: int, stop: int, left_slots: Any, right_slots: Any, left: Any, right: Any, out: Any) -> None:
    """``out[t] = left[left_slots[t]] * right[right_slots[t]]``."""
    for t in range(np.uint64(start), np.uint64(stop)):
        out[t] = left[left_slots[t]] * right[right_slots[t]]


def tile(start: int, stop: int, pieces: Any, source: Any, out: Any) -> None:
    """``out[b + t] = source[a + t]`` for t below the length of each piece (a, b, length)."""
    for k in range(np.uint64(start), np.uint64(stop)):
        a = np.uint64(pieces[np.uint64(3) * k])
        b = np.uint64(pieces[np.uint64(3) * k + ONE])
        for t in range(np.uint64(pieces[np.uint64(3) * k + np.uint64(2)])):
            out[b + t] = source[a + t]
