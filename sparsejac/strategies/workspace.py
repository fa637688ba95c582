"""Workspaces that threads borrow: allocated once, used again by whoever comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

_KEPT = 4  # idle workspaces beyond these are freed


class Workspaces(Generic[T]):
    """A pool of workspaces; each is lent to one thread at a time.

    Parameters
    ----------
    make : callable
        Makes a new workspace.

    Examples
    --------
    >>> pool = Workspaces(lambda: [0.0])
    >>> with pool.lend() as first:
    ...     first[0] = 1.0
    >>> with pool.lend() as again, pool.lend() as other:
    ...     print(again, other)
    [1.0] [0.0]
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: list[T] = []
        self._lock = Lock()

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Hand out a workspace that nobody else uses; what an earlier user left in it is still there.

        A workspace whose user raised is thrown away.
        """
        with self._lock:
            workspace = self._idle.pop() if self._idle else None
        if workspace is None:
            workspace = self._make()
        yield workspace
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append(workspace)
