"""Digests of what things are made of: equal ones are made of equal parts, in whatever process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from kernels.address import Table
from kernels.kernel import Kernel
from kernels.step import Call, Schedule

_SHORT_FORMS: dict[type, Callable[[Any], Any]] = {
    Table: lambda table: (table.box, table.content.digest),
    Kernel: lambda kernel: kernel.digest,
    Call: lambda call: (call.loads, call.buffer, call.position),
    Schedule: lambda schedule: _schedule_digest(schedule),
}
_schedules: WeakKeyDictionary[Schedule, str] = WeakKeyDictionary()
_origins: WeakKeyDictionary[Schedule, tuple[Any, ...]] = WeakKeyDictionary()


def digest_of(*parts: Any) -> str:
    """Digest of numbers, texts, arrays, tuples and dataclasses of such: schedules, patterns, addresses.

    What a library's function in a schedule computes does not enter: structure does not depend on it.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> digest_of((1, "a")) == digest_of((1, "a")), digest_of(1) == digest_of(1.0)
    (True, False)
    """
    state = hashlib.blake2b(digest_size=20)
    _feed(state, parts)
    return state.hexdigest()


def follows(schedule: Schedule, *parts: Any) -> None:
    """Say that a schedule follows from `parts`: as part of a key it is these, and none of its tables is digested.

    Parameters
    ----------
    schedule : Schedule
    *parts
        What it was made of, with nothing else; see `digest_of`.
    """
    _origins.setdefault(schedule, parts)


def _schedule_digest(schedule: Schedule) -> str:
    """Digest of a schedule, found once: several things are made of each."""
    if schedule not in _schedules:
        origin = _origins.get(schedule)
        parts = (getattr(schedule, field.name) for field in fields(schedule)) if origin is None else origin
        _schedules[schedule] = digest_of("found" if origin is None else "follows", *parts)
    return _schedules[schedule]


def _feed(state: Any, part: Any) -> None:
    if part is None or type(part) in (bool, int, float, str, bytes):
        state.update(f"{type(part).__name__} {part!r};".encode())
    elif type(part) in (tuple, list):
        state.update(f"{len(part)} parts;".encode())
        for inner in part:
            _feed(state, inner)
    elif isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
        state.update(f"array {part.dtype.str} {part.shape};".encode())
        state.update(hashlib.sha256(np.ascontiguousarray(part).data).digest())
    elif type(part) in _SHORT_FORMS:
        _feed(state, (type(part).__qualname__, _SHORT_FORMS[type(part)](part)))
    elif is_dataclass(part) and not isinstance(part, type):
        state.update(f"{type(part).__module__}.{type(part).__qualname__};".encode())
        for field in fields(part):
            _feed(state, getattr(part, field.name))
    else:
        raise TypeError(f"digest_of: a {type(part).__qualname__} cannot be part of a key")
