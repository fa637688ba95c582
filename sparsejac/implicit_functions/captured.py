"""Traced values that f holds in closures: they are parameters like those that it is called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from sparsejac.tracing.base import is_traced
from sparsejac.tracing.reachable import Place, Search
from sparsejac.tracing.trace import Trace


class _Closures(Search):
    """What f can reach without global names."""

    def _enter(self, names: dict[str, Any], file: str) -> bool:
        return True


def captured_in(f: Callable[..., Any], trace: Trace, *objects: Any) -> list[Place]:
    """The places from which f, or an object among its arguments, takes values that depend on the x of a trace."""
    return [
        place
        for place in _Closures().places(f, *objects)
        if is_traced(place.value) and not place.value.is_plain and place.value.tracer is trace
    ]


def with_captured(f: Callable[..., Any], places: list[Place]) -> Callable[..., Any]:
    """F with one more argument, the last: a list of what is to be in these places."""
    return partial(_called, f, places) if places else f


def _called(f: Callable[..., Any], places: list[Place], *args: Any, **kwargs: Any) -> Any:
    *own, values = args
    with _replaced(places, values):
        return f(*own, **kwargs)


@contextmanager
def _replaced(places: list[Place], values: list[Any]) -> Iterator[None]:
    try:
        for place, value in zip(places, values, strict=True):
            place.put(value)
        yield
    finally:
        for place in reversed(places):
            place.put(place.value)
