"""What the machine code of kernels that contain elementary functions depends on besides their text."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files


@cache
def digest(package: str = __package__) -> str:
    """A digest of the sources of a package: other functions, other machine code."""
    found = hashlib.blake2b(digest_size=16)
    for file in sorted(files(package).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".py"):
            content = file.read_bytes()
            found.update(f"{file.name} {len(content)}\0".encode() + content)
    return found.hexdigest()
