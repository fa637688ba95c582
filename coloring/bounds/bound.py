"""Bounds: a number of colors that no coloring can undercut, with the vertices that show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coloring.pattern import Index


@dataclass(frozen=True, eq=False)
class Bound:
    """A number of colors that no coloring can undercut, and why.

    Parameters
    ----------
    value : int
    reason : str
        For people, such as "row 3 is the fullest".
    witness : array of int
        Vertices that need `value` colors by themselves, whatever stands around them: every two of them differ, or
        they have too many edges for fewer colors, or a search tried all colorings of theirs. Rows come before columns
        in two-sided problems.
    """

    value: int
    reason: str
    witness: Index = field(repr=False)

    def __str__(self) -> str:
        """Value and reason."""
        return f"{self.value} ({self.reason})"


class DeferredBound(Bound):
    """A bound that is looked for when it is first read: that takes longer than a greedy coloring in a given order.

    Parameters
    ----------
    find : function
        Finds the bound.
    *arguments
        Those of `find`; they must not change.
    """

    def __init__(self, find: Callable[..., Bound], *arguments: Any) -> None:
        self.__dict__["_find"] = (find, arguments)

    def __getattr__(self, name: str) -> Any:
        """Find what is not there yet."""
        if name not in ("value", "reason", "witness"):
            raise AttributeError(name)
        todo = self.__dict__.get("_find")
        if todo is not None:  # read once: another thread may have found it meanwhile
            find, arguments = todo
            self.__dict__.update(vars(find(*arguments)))
            self.__dict__["_find"] = None
        return self.__dict__[name]


def witnessed(value: int, reason: str, vertices: npt.NDArray[Any]) -> Bound:
    """Make a bound whose witness is sorted and read-only."""
    witness = np.sort(vertices)
    witness.flags.writeable = False
    return Bound(int(value), reason, witness)
