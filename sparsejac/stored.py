"""What set-up found out about a structure, kept on disk: the next process reads it in the place of finding it again.

How to use it for index arrays of your own: put them into a (frozen) dataclass, write the function that makes it, and
say

    tables = stored("elimination", lambda: _tables(schedule, pattern), forms=(Tables, Table), work=pairs)

`_tables` may depend on nothing but the structure in whose name it is called: the schedule, the known zeros, the
pattern and the coloring that the engine hands to strategies. Whatever else it depends on (an option, a constant that
was measured) goes into `key`. On the way back from disk the dataclasses are built by their constructors, and all arrays
are read-only and lie in the file, so that no page of them is read before it is needed. Where there is no file, no
structure (a strategy that is called by a test), no cache, or little work, `stored` calls the function and nothing else.

Why it is never stale: a file's name is a digest of the structure (what f did, which constants are zero, the options of
the call), of the kind and the `key` given here, of the text of all our modules, and of the versions of the tools. If a
module changed since this process was started, its text may not be what runs: nothing is read or written then.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import scipy

from kernels.cache import cache_directory
from sparsejac.flat_files import FlatValue, Forms, read, take_apart, write

T = TypeVar("T")

FORMAT = 1
"""Part of every name; to be raised when files written before mean something else."""

WORTH = 2_000_000
"""Work from which the disk is asked. A step is one entry of a table found, a few nanoseconds; to look takes 10 ms."""

BYTES_PER_STEP = 64
"""What takes more room for its work than this is found again faster than it is read."""

LARGEST = 2**30
"""Bytes of the largest file."""

LIMIT = 4 * 2**30
"""Bytes of all files; beyond that those that were not used for longest go."""

counts: Counter[str] = Counter()
"""How often this process has "read", "made" and "written" something, by these words and by ``"made pattern"`` ..."""

_folders = [Path(__file__).resolve().parents[1] / name for name in ("sparsejac", "kernels", "coloring")]
_STARTED = time.time_ns() - 2 * 10**9  # clocks of file systems run in steps
_ABANDONED = 24 * 3600
_structure: ContextVar[str | None] = ContextVar("structure", default=None)
_writers: list[threading.Thread] = []


@contextmanager
def of_structure(digest: str | None) -> Iterator[None]:
    """Say of which structure the things are that `stored` is asked for meanwhile, in this thread.

    Parameters
    ----------
    digest : str or None
        None where it has no digest (a pattern or a coloring that the user gave): nothing is stored.
    """
    token = _structure.set(digest)
    try:
        yield
    finally:
        _structure.reset(token)


def stored(
    kind: str, make: Callable[[], T], *, forms: Forms = (), work: int, key: Sequence[str | int | bool | None] = ()
) -> T:
    """What `make` gives, from the disk if an earlier process has made it of the same structure with the same code.

    Parameters
    ----------
    kind : str
        What it is; also for `counts`.
    make : callable
        Makes it. The result may not be changed afterwards, nor its arrays: they are written in the background.
    forms : sequence of (type or Form)
        The classes that the result is made of: dataclasses by themselves, others by a `flat_files.Form`. Beside
        their objects it may hold numbers, texts, None, tuples, lists, dicts and arrays of numbers.
    work : int
        About how many steps `make` takes (entries of tables that are gone through); below `WORTH` it is just called.
    key : sequence of (str, int, bool or None)
        What the result depends on beside the structure.

    Returns
    -------
    object

    Raises
    ------
    TypeError
        If the result has parts that cannot be stored.

    Examples
    --------
    Outside of a structure, the function is called:

    >>> import numpy as np
    >>> stored("squares", lambda: np.arange(4) ** 2, work=10**9)
    array([0, 1, 4, 9])
    """
    path = _path(kind, key) if work >= WORTH else None
    if path is None:
        return _made(kind, make)
    with contextlib.suppress(OSError, ValueError):
        found: T = read(path, path.stem, forms)
        os.utime(path)
        counts.update(("read", f"read {kind}"))
        return found
    made = _made(kind, make)
    flat = take_apart(made, forms)
    if flat.nbytes <= min(LARGEST, BYTES_PER_STEP * work):
        _write_later(path, flat)
    return made


def wait() -> None:
    """Wait until all that is to be written is on the disk."""
    while _writers:
        _writers.pop().join()


def _made(kind: str, make: Callable[[], T]) -> T:
    made = make()
    counts.update(("made", f"made {kind}"))
    return made


def _write_later(path: Path, flat: FlatValue) -> None:
    """Write in a thread for which the end of the process waits."""

    def run() -> None:
        if _unchanged() and write(path, path.stem, flat):
            counts.update(("written", f"written {path.name}"))
            _make_room(path.parent)

    writer = threading.Thread(target=run, name="sparsejac: writes what set-up found")
    _writers[:] = [known for known in _writers if known.is_alive()]
    try:
        writer.start()
    except RuntimeError:  # the interpreter is about to end
        return
    _writers.append(writer)


def _path(kind: str, key: Sequence[str | int | bool | None]) -> Path | None:
    """Where a thing of the present structure lies; None where it is not to be kept."""
    structure, root = _structure.get(), cache_directory()
    if structure is None or root is None:
        return None
    sources = _sources()
    if sources is None:
        return None
    parts = repr((FORMAT, structure, kind, *key, sources, _tools()))
    return root.with_name("structures") / f"{hashlib.blake2b(parts.encode(), digest_size=20).hexdigest()}.flat"


def _tools() -> tuple[object, ...]:
    return (sys.version, sys.byteorder, np.__version__, scipy.__version__, np.dtype(np.intp).str)


@cache
def _sources() -> str | None:
    """Digest of the text of all modules; None where it cannot be known which text runs."""
    state = hashlib.blake2b(digest_size=20)
    try:
        for name, file in _modules():
            text = file.read_bytes()
            state.update(f"{name}:{len(text)};".encode())
            state.update(text)
    except OSError:
        return None
    return state.hexdigest() if _unchanged() else None


def _unchanged() -> bool:
    """Whether all modules are there and as they were when this process was started."""
    try:
        dates = [file.stat() for _, file in _modules()]
    except OSError:
        return False
    return bool(dates) and max(max(d.st_mtime_ns, d.st_ctime_ns) for d in dates) < _STARTED


def _modules() -> list[tuple[str, Path]]:
    """Names and files of all our modules."""
    return [(f"{folder.name}/{file.relative_to(folder)}", file) for folder in _folders for file in _texts(folder)]


def _texts(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


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
