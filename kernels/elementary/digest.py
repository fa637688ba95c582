"""What the machine code of kernels that contain elementary functions depends on besides their text."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from importlib.resources import files
from pathlib import Path

from kernels.lazy import LOADED, TICK


@cache
def digest(package: str = __package__) -> str:
    """A digest of the sources of a package: other functions, other machine code.

    Sources that changed since they were loaded may not be what runs: this process is alone with its digest then.
    """
    found = hashlib.blake2b(digest_size=16)
    for file in sorted(files(package).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            content = file.read_bytes()
            found.update(f"{file.name} {len(content)}\0".encode() + content)
            if isinstance(file, Path) and _last_change(file) > LOADED - TICK:
                found.update(os.urandom(16))
    return found.hexdigest()


def _last_change(file: Path) -> int:
    dates = file.stat()
    return max(dates.st_mtime_ns, dates.st_ctime_ns)
