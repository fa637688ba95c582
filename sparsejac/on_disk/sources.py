"""The text of our modules as one digest, so that nothing that other code has found is taken for what this code finds.

The digest is kept as a note, under what the system says of each file (its number, its size, and when it was last
changed, which nobody can set back), so that later processes need not read the texts.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from kernels.lazy import TICK
from sparsejac.on_disk.digests import digest_of
from sparsejac.on_disk.flat_files import put

_folders = [Path(__file__).resolve().parents[2] / name for name in ("sparsejac", "kernels", "coloring")]

_Stamps = list[tuple[str, int, int, int, int, int]]


def digest_of_sources(notes: Path, started: int) -> str | None:
    """Digest of the text of all modules; None where it cannot be known which text runs.

    Parameters
    ----------
    notes : Path
        The folder in which the digest is kept.
    started : int
        When this process loaded the first module, in nanoseconds: if one changed since, its text may not be what runs.
    """
    try:
        modules = _modules()
        stamps = _stamps(modules)
        if not _are_old(stamps, started):
            return None
        note = _note_of(stamps, notes)
        known = None if note is None else _noted(note)
        if known is not None:
            return known
        digest = _digest_of_texts(modules)
        if _stamps(modules) != stamps:
            return None
        if note is not None:
            _take_down(note, digest)
        return digest
    except OSError:
        return None


def are_unchanged(started: int) -> bool:
    """Whether all modules are there and as they were when this process loaded the first one."""
    try:
        return _are_old(_stamps(_modules()), started)
    except OSError:
        return False


def _digest_of_texts(modules: dict[str, str]) -> str:
    state = hashlib.blake2b(digest_size=20)
    for name, file in sorted(modules.items()):
        with open(file, "rb") as opened:
            text = opened.read()
        state.update(f"{name}:{len(text)};".encode())
        state.update(text)
    return state.hexdigest()


def _stamps(modules: dict[str, str]) -> _Stamps:
    """What the system knows of the files of modules: device, number, size, and the dates of their last changes."""
    stats = [(name, os.stat(file)) for name, file in sorted(modules.items())]
    return [(name, s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in stats]


def _note_of(stamps: _Stamps, notes: Path) -> Path | None:
    """Where the digest of the texts is kept; None where a change may leave no mark.

    Elsewhere than on POSIX systems the last date is that of creation, and a file may be changed twice in one tick.
    """
    if os.name != "posix" or max(stamp[-1] for stamp in stamps) > time.time_ns() - TICK:
        return None
    return notes / f"{digest_of(repr(stamps))}.sources"


def _noted(note: Path) -> str | None:
    """The digest that a note holds; None if it is not exactly what was written."""
    try:
        digest, _, check = note.read_text(encoding="ascii").partition(" ")
    except (OSError, ValueError):
        return None
    return digest if check == digest_of(note.stem, digest) else None


def _take_down(note: Path, digest: str) -> None:
    put(note, lambda: [f"{digest} {digest_of(note.stem, digest)}".encode("ascii")])


def _are_old(stamps: _Stamps, started: int) -> bool:
    return bool(stamps) and max(max(stamp[-2:]) for stamp in stamps) < started


def _modules() -> dict[str, str]:
    """Names and files of all our modules."""
    found: dict[str, str] = {}
    for folder in _folders:
        for place, folders, names in os.walk(folder):
            folders[:] = [inner for inner in folders if inner != "__pycache__"]
            inner = place.removeprefix(str(folder))
            found.update({f"{folder.name}{inner}/{n}": os.path.join(place, n) for n in names if n.endswith(".py")})
    return found
