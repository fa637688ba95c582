"""Tasks of measurements that go wrong."""

from __future__ import annotations

import os
import time

import numpy as np


def echo(**given: object) -> dict[str, object]:
    return {**given, "cache": os.environ["SPARSEJAC_CACHE_DIR"], "process": os.getpid()}


def sleep() -> dict[str, object]:
    time.sleep(60)
    return {}


def allocate() -> dict[str, object]:
    return {"sum": float(np.ones(2**30).sum())}


def divide() -> dict[str, object]:
    return {"never": 1 / 0}
