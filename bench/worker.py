"""The process of one measurement: ``python -m bench.worker REQUEST ANSWER``, both files of JSON.

The request names a task (``module:function``), its arguments, and the packages to import before, each of which is
timed. Only the standard library is imported here, so that these times are true.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import memory


def main(request_file: str, answer_file: str) -> None:
    """Do what the request says and write what came out."""
    _end_with_parent()
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    memory.limit(request["memory_limit"])
    _keep_to(request["processor"])
    imports = {name: _import_seconds(name) for name in request["preload"]}
    module, _, function = request["task"].partition(":")
    task = getattr(importlib.import_module(module), function)
    answer: dict[str, Any] = {"imports": imports, "result": task(**request["arguments"])}
    Path(answer_file).write_text(json.dumps(answer), encoding="utf-8")


def _end_with_parent() -> None:
    """Have Linux end this process when the one that waits for its answer is ended, whatever ends that."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # 1 is PR_SET_PDEATHSIG


def _keep_to(processor: int | None) -> None:
    """Run on one processor, where the system can; their numbers may have gaps."""
    if processor is not None and hasattr(os, "sched_setaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {usable[processor % len(usable)]})


def _import_seconds(name: str) -> float:
    start = time.perf_counter()
    importlib.import_module(name)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:])
