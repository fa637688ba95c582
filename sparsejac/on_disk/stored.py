"""What set-up found out, kept on disk: the next process reads it in the place of finding it again.

How to use it for index arrays of your own: put them into a frozen dataclass, write the function that makes it, and say

    tables = stored("slots", lambda: _slots(schedule, pattern), key=(schedule, pattern), forms=(Slots,), work=pairs)

`key` holds all that `_slots` reads: schedules, programs' digests, patterns, arrays, numbers, options; whatever is made
of dataclasses and arrays. `forms` are the dataclasses that the result is made of (`Slots`, and what is in it). On the
way back from disk they are built by their constructors, and all arrays are read-only and lie in the file. Where there
is no file, no cache or too little work, `stored` calls the function and nothing else. What it returns may not be
changed afterwards: it is written in the background.

Why it is never stale: a file's name has a digest of its kind and key and of the versions of the tools, and one of the
text of all our modules (`sources`), which are read once a file of that kind and key is there, or is to be written. If
a module changed since this process loaded the first one, its text may not be what runs: nothing is read or written
then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy

from kernels.cache import cache_directory
from kernels.lazy import LOADED, TICK, Lazy
from sparsejac.on_disk.digests import digest_of

if TYPE_CHECKING:
    from sparsejac.on_disk.flat_files import FlatValue, Forms

# Small problems ask no disk, and leave nothing to be written.
AHEAD = Lazy("sparsejac.ahead")
FLAT_FILES, SOURCES = Lazy("sparsejac.on_disk.flat_files"), Lazy("sparsejac.on_disk.sources")

T = TypeVar("T")

FORMAT = 1
"""Part of every name; to be raised when files written before mean something else."""

WORTH = 2_000_000
"""Work from which the disk is asked. A step is one entry of a table found, a few nanoseconds; to look takes 10 ms."""

BYTES_PER_STEP = 64
"""What takes more room for its work than this is found again faster than it is read."""

LARGEST = 2**29
"""Bytes of the largest file."""

LIMIT = 4 * 2**30
"""Bytes of all files; beyond that those that were not used for longest go."""

counts: Counter[str] = Counter()
"""How often this process has "read", "made" and "written" something, by these words and by ``"made pattern"`` ...

Several threads count. Each addition is one step of the interpreter, and no lock is held that a forked child would lack.
"""


def _first_loaded() -> int:
    """When the first of our packages was loaded: `coloring` may have been long before the others."""
    return min(LOADED, getattr(sys.modules.get("coloring"), "_loaded", LOADED))


_STARTED = _first_loaded() - TICK
_CLOCKS = time.time_ns() - time.monotonic_ns()
_ABANDONED = 24 * 3600
_writers: set[threading.Thread] = set()
_writing = threading.Lock()
_asking = threading.Lock()


def stored(
    kind: str,
    make: Callable[[], T],
    *,
    key: Sequence[Any],
    work: int,
    forms: Forms | Callable[[], Forms] = (),
    effort: Callable[[T], int] | None = None,
) -> T:
    """What `make` gives, from the disk if an earlier process has made it of the same key with the same code.

    Parameters
    ----------
    kind : str
        What it is; also for `counts`.
    make : callable
        Makes it. The result may not be changed afterwards, nor its arrays.
    key : sequence
        All that the result depends on; see `digests.digest_of`.
    work : int
        About how many steps `make` takes (entries of tables that are gone through); below `WORTH` it is just called,
        and always for 0.
    forms : sequence of (type or Form), or callable
        The classes that the result is made of: dataclasses by themselves, others by a `flat_files.Form`. Beside
        their objects it may hold numbers, texts, None, tuples, lists, dicts and arrays of numbers. A callable gives
        them once the disk is asked.
    effort : callable, optional
        Tells of the result how many steps it took, where `work` is only their least number: what takes much room for
        its work is found again and not kept.

    Returns
    -------
    object

    Raises
    ------
    TypeError
        If the key or the result has parts that are none of these.

    Examples
    --------
    >>> import numpy as np
    >>> stored("squares", lambda: np.arange(4) ** 2, key=("squares", 4), work=4)
    array([0, 1, 4, 9])
    """
    folder = _folder() if 0 < work >= WORTH else None
    if folder is None:
        return _made(kind, make)
    name = digest_of(FORMAT, kind, key, _tools())
    path = _path(folder, name) if _is_met(folder, name) else None
    if path is not None:
        with contextlib.suppress(OSError, ValueError):
            found: T = FLAT_FILES.read(path, path.stem, _given(forms))
            with contextlib.suppress(OSError):  # the files of others may be read, but not touched
                os.utime(path)
            counts.update(("read", f"read {kind}"))
            return found
    made = _made(kind, make)
    flat = FLAT_FILES.take_apart(made, _given(forms))
    steps = work if effort is None else effort(made)
    if flat.nbytes <= min(LARGEST, BYTES_PER_STEP * steps):
        _write_later(kind, folder, name, flat)
    return made


def wait() -> None:
    """Wait until all that is to be written is on the disk."""
    if _writers:
        AHEAD.wait_for(_writers)


def _given(forms: Forms | Callable[[], Forms]) -> Forms:
    return forms() if callable(forms) else forms


def _made(kind: str, make: Callable[[], T]) -> T:
    made = make()
    counts.update(("made", f"made {kind}"))
    return made


def _write_later(kind: str, folder: Path, name: str, flat: FlatValue) -> None:
    """Write in a thread for which the end of the process waits, and which waits for what others wait for.

    One at a time: checksums and copies in several threads would take the processors from whoever computes.
    """
    are_unchanged = SOURCES.are_unchanged  # loaded by the caller: f may be followed while the writer runs

    def run() -> None:
        try:
            AHEAD.give_way()
            with _writing:
                path = _path(folder, name) if are_unchanged(_started()) else None
                if path is not None and FLAT_FILES.write(path, path.stem, flat):
                    counts.update(("written", f"written {kind}"))
                    _make_room(folder)
        finally:
            _writers.discard(writer)

    writer = threading.Thread(target=run, name="sparsejac: writes what set-up found")
    AHEAD.start(writer, _writers)


def _begin_anew() -> None:
    """A child has none of the other threads, but their locks."""
    global _writing, _asking
    _writing, _asking = threading.Lock(), threading.Lock()
    _writers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _is_met(folder: Path, name: str) -> bool:
    """Whether some process has kept a thing of this name, whatever the text of its modules."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(entry.name.startswith(name) for entry in entries)
    return False


def _path(folder: Path, name: str) -> Path | None:
    """Where a thing lies that was made by the modules as they are; None where it is not to be kept."""
    with _asking:
        sources = _sources(folder)
    return None if sources is None else folder / f"{name}-{sources}.flat"


def _folder() -> Path | None:
    """Where all that is kept lies."""
    root = cache_directory()
    return None if root is None else root.with_name("structures")


def _tools() -> tuple[str, ...]:
    return (sys.version, sys.byteorder, np.__version__, scipy.__version__, np.dtype(np.intp).str)


def _started() -> int:
    """When this process was started; 0 if the clock was set back since, by which files are dated."""
    return _STARTED if time.time_ns() - time.monotonic_ns() > _CLOCKS - TICK else 0


@cache
def _sources(folder: Path) -> str | None:
    """Digest of the text of all modules, asked for once in a process."""
    digest: str | None = SOURCES.digest_of_sources(folder, _started())
    return digest


def _make_room(folder: Path) -> None:
    """Remove the files that were not used for longest, and what broken processes left."""
    with contextlib.suppress(OSError):
        known = []
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):
                dates = entry.stat()
                if not entry.name.startswith("tmp-"):
                    known.append((dates.st_mtime_ns, dates.st_size, entry.path))
                elif time.time() - dates.st_mtime > _ABANDONED:
                    os.unlink(entry.path)
        total = sum(size for _, size, _ in known)
        for _, size, path in sorted(known):
            if total <= LIMIT:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size
