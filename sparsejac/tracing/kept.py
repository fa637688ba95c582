"""What rules find out once for several traces: the matrix of a filter, the inverse of a constant matrix."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by their key, the last ones up to a limit; threads may share it.

    Parameters
    ----------
    limit : int
        What the sizes of all may add up to. The last one is kept whatever its size.
    size : callable, optional
        Size of one; 1 by default.
    """

    def __init__(self, limit: int, size: Callable[[T], int] = lambda made: 1) -> None:
        self._limit = limit
        self._size = size
        self._made: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Give what is known by this key, or what `make` gives; two threads may both make it."""
        known = self._made.get(key)
        if known is None:
            known = make()
            with self._lock:
                self._made[key] = known
                while len(self._made) > 1 and sum(map(self._size, self._made.values())) > self._limit:
                    self._made.popitem(last=False)
        return known
