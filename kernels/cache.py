"""Bundles of files on disk, each in a directory named by its key: read whole and unharmed, or not at all.

A bundle is written to a temporary directory and published by one rename, so readers never see half of it. Its manifest
holds the key and a SHA-256 sum of every file. Whatever is wrong with a bundle or with the disk, reading gives None and
writing does nothing: the cache may make things faster, never wrong.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from kernels.lazy import Lazy

platformdirs = Lazy("platformdirs")

VARIABLE = "SPARSEJAC_CACHE_DIR"
_MANIFEST = "manifest.json"
_BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def cache_directory() -> Path | None:
    """Where bundles live: ``$SPARSEJAC_CACHE_DIR`` or the user's cache directory; None when that is "" or "off"."""
    chosen = os.environ.get(VARIABLE)
    if chosen is None:
        try:
            return Path(platformdirs.user_cache_dir("sparsejac")) / "kernels"
        except RuntimeError:  # no HOME, and a user whom the system does not know: as in some containers
            return None
    return None if chosen.strip().lower() in ("", "off") else Path(chosen) / "kernels"


def read_bundle(key: str) -> dict[str, bytes] | None:
    """The files of a bundle, or None if it is missing or not exactly what was written."""
    root = cache_directory()
    if root is None:
        return None
    try:
        manifest = json.loads((root / key / _MANIFEST).read_bytes())
        files = {name: (root / key / name).read_bytes() for name in manifest["sums"]}
        whole = manifest == _manifest(key, files)
    except _BROKEN:
        return None
    return files if whole else None


def write_bundle(key: str, files: dict[str, bytes]) -> bool:
    """Publish a bundle, in place of a broken one if there is one; tells whether the cache now holds it."""
    root = cache_directory()
    if root is None:
        return False
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=root, ignore_cleanup_errors=True) as scratch:
            _fill(Path(scratch) / "new", key, files)
            return _publish(Path(scratch), root / key, key)
    except _BROKEN:
        return False


def _fill(directory: Path, key: str, files: dict[str, bytes]) -> None:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    (directory / _MANIFEST).write_text(json.dumps(_manifest(key, files), indent=1))


def _publish(scratch: Path, final: Path, key: str) -> bool:
    """Rename the new bundle into place; whoever comes second keeps the winner's."""
    if _rename(scratch / "new", final) or read_bundle(key) is not None:
        return True
    with contextlib.suppress(OSError):
        os.rename(final, scratch / "broken")
    shutil.rmtree(scratch / "broken", ignore_errors=True)
    return _rename(scratch / "new", final)


def _rename(source: Path, target: Path) -> bool:
    try:
        os.rename(source, target)
    except OSError:
        return False
    return True


def _manifest(key: str, files: dict[str, bytes]) -> dict[str, object]:
    return {"key": key, "sums": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
