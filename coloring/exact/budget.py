"""Budgets: how long a search may go on, by the clock or by its own count of work."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """What is left of the seconds, or of the visits if they are given: then the clock plays no part.

    Parameters
    ----------
    seconds : float
    visits : int or None
    """

    seconds: float
    visits: int | None = None
    spent: int = 0
    share: float = 1.0
    _begin: float = field(default_factory=time.perf_counter)

    @property
    def over(self) -> bool:
        """Whether the share is used up."""
        if self.visits is not None:
            return self.spent >= self.share * self.visits
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> float:
        """Seconds left of the share."""
        return self.share * self.seconds - (time.perf_counter() - self._begin)

    def slice(self, most: int) -> int:
        """Say how many visits may be made before the next question: `most`, or what is left."""
        if self.visits is None:
            return most
        return max(min(most, int(self.share * self.visits) - self.spent), 1)

    def __str__(self) -> str:
        """The whole of it."""
        return f"{self.seconds:g} s" if self.visits is None else f"{self.visits} visits"
