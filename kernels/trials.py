"""Which of two ways to do the same is faster: found while they are used, on the machine as it is now."""

from __future__ import annotations

from collections import deque

TRIED = 5
"""Runs of which the fastest tells how long one takes."""

AGAIN = 128
"""After so many runs the slower way is tried again: the machine may have been busy. At first it is sooner."""

FIRST = 16
ROW = 4
"""Runs of it in a row: the first one may find another thread asleep."""


class Trials:
    """Seconds that runs have taken, by their way.

    Parameters
    ----------
    after : float
        Seconds of runs before another way than the usual one is tried.

    Examples
    --------
    >>> trials = Trials(after=1.0)
    >>> for way in (1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2):
    ...     assert trials.choice(usual=1, other=2) == way
    ...     trials.note(way, 0.5 / way)
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._seconds: dict[int, deque[float]] = {}
        self._runs, self._spent = 0, 0.0
        self._next = FIRST
        self._useless: set[int] = set()

    def choice(self, usual: int, other: int) -> int:
        """The way to take next."""
        known, tried = (self._seconds.get(way, ()) for way in (usual, other))
        if usual == other or other in self._useless or self._spent < self._after or len(known) < TRIED:
            return usual
        if len(tried) < TRIED:
            return other
        faster, slower = (other, usual) if min(tried) < min(known) else (usual, other)
        return slower if self._is_again() else faster

    def _is_again(self) -> bool:
        """Whether it is time to try the slower way."""
        self._runs += 1
        if self._runs >= self._next + ROW:
            self._next += min(self._next, AGAIN)
        return self._runs >= self._next

    def rule_out(self, way: int) -> None:
        """Never choose a way beside the usual one: it is known to be no faster."""
        self._useless.add(way)

    def note(self, way: int, seconds: float) -> None:
        """Remember how long a run has taken."""
        self._seconds.setdefault(way, deque(maxlen=TRIED)).append(seconds)
        self._spent += seconds
