"""Sets of colors as bits of a word, and the place of a single bit, for loops to be compiled by numba."""

from __future__ import annotations

import numpy as np

ONE = np.uint64(1)
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)

# A de Bruijn sequence: its 64 windows of 6 bits all differ, so the window that a single bit shifts to the top names it.
# Leiserson, Prokop and Randall: Using de Bruijn sequences to index a 1 in a computer word, 1998.
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
SHIFT = np.uint64(58)
PLACES = np.zeros(64, dtype=np.int32)
for _bit in range(64):
    PLACES[((0x03F79D71B4CB0A89 << _bit) % 2**64) >> 58] = _bit
