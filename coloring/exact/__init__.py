"""Exact colorings: with fewest colors, and a proof; for small or easy graphs."""

from __future__ import annotations

from coloring.exact.call import Backend as Backend
from coloring.exact.call import exact as exact
