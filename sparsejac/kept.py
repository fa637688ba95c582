"""What is found once and kept for a while: matrices that rules worked out, transformed Programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kernels.forks import process_lock

T = TypeVar("T")


class Kept(Generic[T]):
    """Things by their key, those used last up to a limit; threads may share it.

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
        self._made: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = process_lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give what is known by this key, or what `make` gives; threads that both make it end up with one of them."""
        with self._lock:
            known = self._made.get(key)
            if known is not None:
                self._made.move_to_end(key)
                return known
        made = make()
        with self._lock:
            known = self._made.setdefault(key, made)
            while len(self._made) > 1 and sum(map(self._size, self._made.values())) > self._limit:
                self._made.popitem(last=False)
        return known

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._made.clear()
