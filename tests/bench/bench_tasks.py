"""Tasks of measurements that go wrong."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np


def echo(**given: object) -> dict[str, object]:
    return {**given, "cache": os.environ["SPARSEJAC_CACHE_DIR"], "process": os.getpid()}


def sleep() -> dict[str, object]:
    time.sleep(60)
    return {}


def beget(file: str) -> dict[str, object]:
    """Leave a process behind that writes a line a moment later, and wait for it."""
    subprocess.run(["sh", "-c", f"echo begun > {file}; sleep 3; echo alive >> {file}"], check=True)
    return {}


def linger(file: str) -> dict[str, object]:
    """Say which process this is, and stay longer than a test waits."""
    Path(file).write_text(f"{os.getpid()}\n", encoding="utf-8")
    time.sleep(100)
    return {}


def allocate() -> dict[str, object]:
    return {"sum": float(np.ones(2**30).sum())}


def divide() -> dict[str, object]:
    return {"never": 1 / 0}
