"""Python's search for garbage, made rare while thousands of objects are made that stay.

Whenever some hundred more objects exist than before, Python looks for unreachable cycles, now and then among all
objects of the process: where a long f is followed that takes as long as all the rest. Within `rare_collections` it
looks less often, but it goes on looking, so that cycles that f makes itself do not pile up. What an import makes stays
for good: `age_all` has it looked at with the oldest objects only.
"""

from __future__ import annotations

import gc
import os
from threading import Lock
from types import TracebackType

_RARE = (20_000, 1_000, 1_000)
_Thresholds = tuple[int, int, int]


class _Rare:
    """Thresholds for as long as someone is within; those of a user who sets them meanwhile stay."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before: _Thresholds = (0, 0, 0)
        self._put: _Thresholds = (0, 0, 0)

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                first, second, third = self._before = gc.get_threshold()
                self._put = max(first, _RARE[0]) if first else 0, max(second, _RARE[1]), max(third, _RARE[2])
                gc.set_threshold(*self._put)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._users == 1:
                self._put_back()
            self._users = max(self._users - 1, 0)  # in a forked child, whoever forked within comes out, too

    def _put_back(self) -> None:
        if gc.get_threshold() == self._put:
            gc.set_threshold(*self._before)

    def leave_all(self) -> None:
        """In a forked child: the threads that were within are not there."""
        self._lock = Lock()
        if self._users:
            self._put_back()
        self._users = 0


_RARE_COLLECTIONS = _Rare()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RARE_COLLECTIONS.leave_all)


def rare_collections() -> _Rare:
    """A context in which garbage is looked for rarely; contexts may be nested, and several threads may be within.

    Whether garbage is collected at all, and thresholds that are set within, are left as they are.

    Examples
    --------
    >>> before = gc.get_threshold()
    >>> with rare_collections(), rare_collections():
    ...     assert gc.get_threshold() != before
    >>> gc.get_threshold() == before
    True
    """
    return _RARE_COLLECTIONS


def age_all() -> None:
    """Count all objects among the oldest, without looking at them, as if they had survived two collections.

    Nothing happens where garbage is not collected, or where someone froze objects, which would thaw with the others.

    Examples
    --------
    >>> age_all()
    >>> len(gc.get_objects(generation=1)) == 0 or gc.get_freeze_count() > 0
    True
    """
    if gc.isenabled() and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
