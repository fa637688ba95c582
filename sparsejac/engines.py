"""Engines by the structure of a Program: set-up is paid once, however often a function is traced."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from sparsejac.engine import Engine
from sparsejac.fusion import schedule
from sparsejac.program import Program

CAPACITY = 64
"""Number of engines kept; the one that was not used for longest goes first."""

_LOCK = Lock()
_ENGINES: OrderedDict[tuple[object, ...], Engine] = OrderedDict()


def engine_for(program: Program, options: Mapping[str, Any]) -> Engine:
    """The engine of a Program: a known one of the same digest and options, or a new one.

    Parameters
    ----------
    program : Program
    options : mapping
        Keywords of `Engine`. Engines with a pattern or coloring of the user's are not kept.
    """
    if options.get("pattern") is not None or options.get("coloring") is not None:
        return Engine(schedule(program), **options)
    key = (program.digest, *sorted((name, value) for name, value in options.items() if value is not None))
    with _LOCK:
        known = _ENGINES.get(key)
        if known is not None:
            _ENGINES.move_to_end(key)
            return known
    made = Engine(schedule(program), **options)
    with _LOCK:
        known = _ENGINES.setdefault(key, made)
        while len(_ENGINES) > CAPACITY:
            _ENGINES.popitem(last=False)
    return known


def clear() -> None:
    """Forget all engines."""
    with _LOCK:
        _ENGINES.clear()
