"""What a case is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.launcher import Launcher
from bench.result import Outcome


@dataclass(frozen=True)
class Settings:
    """How to run.

    Parameters
    ----------
    launcher : Launcher
    quick : bool
        Sizes so small that all is over in a minute; the bars then mean nothing.
    """

    launcher: Launcher
    quick: bool = False

    @property
    def budget(self) -> float:
        """Seconds for each timing of repeated calls."""
        return 0.05 if self.quick else 2.0

    def size(self, full: int, quick: int) -> int:
        """Choose by `quick`."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Parameters
    ----------
    name : str
    summary : str
    run : callable
    """

    name: str
    summary: str
    run: Callable[[Settings], Outcome]
