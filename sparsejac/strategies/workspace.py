"""Workspaces that threads borrow: allocated once, used again by whoever comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
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
    >>> first = pool.take()
    >>> first[0] = 1.0
    >>> pool.give(first)
    >>> pool.take(), pool.take()
    ([1.0], [0.0])
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: deque[T] = deque(maxlen=_KEPT)  # its pop and append need no lock

    def take(self) -> T:
        """Hand out a workspace that nobody else uses; what an earlier user left in it is still there."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def give(self, workspace: T) -> None:
        """Take a workspace back. Whoever fails does not give back: what a failure left is thrown away."""
        self._idle.append(workspace)

    def lend(self) -> Loan[T]:
        """Hand out a workspace for as long as the loan lives."""
        return Loan(self)


class Loan(Generic[T]):
    """A workspace that goes back to its pool when nobody holds the loan any more."""

    def __init__(self, pool: Workspaces[T]) -> None:
        self._pool, self.workspace = pool, pool.take()

    def __del__(self) -> None:
        self._pool.give(self.workspace)
