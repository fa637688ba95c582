"""Objects that belong to one process: they hold compiled code, locks, and buffers to work with."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from sparsejac.errors import InputTypeError
from sparsejac.location import user_location

T = TypeVar("T", bound="ProcessBound")


class ProcessBound:
    """What `pickle` refuses, and `copy.deepcopy` leaves as it is: it does not change, but for what it remembers.

    >>> import pickle
    >>> from sparsejac import prepare
    >>> pickle.dumps(prepare(abs, 2.0))
    Traceback (most recent call last):
      ...
    sparsejac.errors.InputTypeError: pickle: got a Plan, which belongs to the process that made it
      ...
      Cure: send f and its arguments to the other process, and make it there by prepare(f, x).
    """

    made_by = ""
    """The public call that makes them."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise InputTypeError(
            f"pickle: got a {type(self).__name__}, which belongs to the process that made it\n  {user_location()}\n  "
            f"Cure: send f and its arguments to the other process, and make it there by {self.made_by}(f, x)."
        )

    def __copy__(self: T) -> T:
        return self

    def __deepcopy__(self: T, memo: Any) -> T:
        return self
