"""A launcher of benchmarks that starts no processes."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.launcher import IMPORTS, Answer


@dataclass(frozen=True)
class Here:
    """Stands in for the launcher: tasks run in this process, which has compiled most of what they need."""

    seconds: float = 60.0
    threads: int | None = None
    processor: int | None = None

    def run(self, task: str, *, preload: Sequence[str] = IMPORTS, cache: object = None, **arguments: Any) -> Answer:
        """Run a task, named ``module:function``."""
        module, _, function = task.partition(":")
        result = getattr(importlib.import_module(module), function)(**arguments)
        return Answer(json.loads(json.dumps(result)), dict.fromkeys(preload, 0.1))
