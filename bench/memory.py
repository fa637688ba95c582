"""Resident memory of this process: now, and at its peak."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident() -> int:
    """Bytes in memory now (the peak so far, where the system does not say)."""
    return _from_status("VmRSS") or peak()


def peak() -> int:
    """Most bytes in memory so far; on Linux those of this program alone, not of the one that forked it."""
    known = _from_status("VmHWM")
    if known is not None:
        return known
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def limit(number: int) -> None:
    """Let allocations beyond this many bytes of address space fail."""
    resource.setrlimit(resource.RLIMIT_AS, (number, number))


def keep_pages() -> None:
    """Let the C library keep freed memory from now on.

    Otherwise it is left to chance whether each large temporary of NumPy's costs page faults, which is half the time of
    a function on a million unknowns: glibc adapts its thresholds to the largest block freed so far, up to 32 MiB.
    """
    block = bytearray(31 * 2**20)
    del block


def give_back() -> None:
    """Return freed memory to the system, where the C library can, so that it does not count as resident."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _from_status(field: str) -> int | None:
    if not _STATUS.exists():
        return None
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None
