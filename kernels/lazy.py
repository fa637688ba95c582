"""Heavy packages, imported when they are first needed."""

from __future__ import annotations

import importlib
import time
from functools import cache
from typing import Any

LOADED = time.time_ns()
"""When this package was loaded, before all else in it: what changes on the disk later may not be what runs."""

TICK = 2 * 10**9
"""Nanoseconds by which the date of a file may be too early: clocks of file systems run in steps."""


@cache
def load(name: str) -> Any:
    """Import a package on first use: ``load("numba")``."""
    return importlib.import_module(name)


class Lazy:
    """A package under a name of its own, imported when something in it is first asked for.

    >>> Lazy("math").sqrt(4.0)
    2.0
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(load(self._name), attribute)
