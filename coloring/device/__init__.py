"""Coloring on a GPU: patterns as index arrays of CuPy in, colors out, all in the memory of the device.

Nothing here imports CuPy before a call.
"""

from __future__ import annotations

from coloring.device.coloring import DeviceColoring as DeviceColoring
from coloring.device.coloring import color as color
