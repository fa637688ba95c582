"""Lower bounds: how few colors there can be, and vertices that show it."""

from __future__ import annotations

from coloring.bounds.bound import Bound as Bound
from coloring.bounds.choice import bound_colors as bound_colors
from coloring.bounds.choice import bound_later as bound_later
from coloring.bounds.choice import lower_bound as lower_bound
