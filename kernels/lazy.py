"""Heavy packages, imported when they are first needed."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def load(name: str) -> Any:
    """Import a package on first use: ``load("numba")``."""
    return importlib.import_module(name)
