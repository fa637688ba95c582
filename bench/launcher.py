"""Run a task in a fresh process, with limits of time and memory and a disk cache of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE_VARIABLE = "SPARSEJAC_CACHE_DIR"
THREADS_VARIABLE = "SPARSEJAC_NUM_THREADS"
BYTECODE_VARIABLE = "PYTHONDONTWRITEBYTECODE"
"""Not handed on: an installed package has its bytecode, and to compile the text again takes longer than an import."""

IMPORTS = ("numpy", "scipy.sparse", "sparsejac", "numba")
"""What most measurements import before their clock starts."""


class Processes:
    """Those that are running, so that all can be ended; after that none begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, command: Sequence[str], environment: dict[str, str], seconds: float) -> tuple[int, str]:
        """Run one to its end: its exit code and what it wrote as errors.

        Raises
        ------
        MeasurementError
            It took longer, or all have been stopped.
        """
        with self._lock:
            if self._stopped:
                raise MeasurementError("stopped")
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            self._running.add(process)
        with process:
            try:
                _, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise MeasurementError(f"more than {seconds:g} s") from error
            finally:
                _kill(process)
                with self._lock:
                    self._running.discard(process)
        return process.returncode, errors

    def stop(self) -> None:
        """End all of them."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """End it and what it started, such as compilers of C."""
    with suppress(ProcessLookupError, PermissionError):  # the latter is what macOS says of one that has ended
        os.killpg(process.pid, signal.SIGKILL)


class MeasurementError(Exception):
    """A measurement that ran out of time or memory, or whose process failed."""


@dataclass(frozen=True)
class Answer:
    """What a process sent back: the result of the task, and the seconds of each import before it."""

    result: dict[str, Any]
    imports: dict[str, float]


@dataclass(frozen=True)
class Launcher:
    """Starts measurements.

    Parameters
    ----------
    seconds : float
        Limit of each process.
    bytes : int
        Limit of each process's address space.
    threads : int, optional
        What sparsejac may use; its own default if not given.
    report : callable, optional
        Is told what starts.
    processor : int, optional
        Which of the usable processors to keep to; all of them if not given.
    """

    seconds: float = 300.0
    bytes: int = 12 * 2**30
    threads: int | None = None
    report: Callable[[str], None] | None = None
    processor: int | None = None
    _processes: Processes = field(default_factory=Processes, repr=False)

    def stop(self) -> None:
        """End what runs, and begin nothing more, also where this launcher's settings were changed."""
        self._processes.stop()

    def run(
        self, task: str, *, preload: Sequence[str] = IMPORTS, cache: Path | str | None = None, **arguments: Any
    ) -> Answer:
        """Run ``module:function(**arguments)`` in a process of its own.

        Parameters
        ----------
        task : str
        preload : sequence of str
            Packages to import first, each timed.
        cache : path, optional
            Directory of the disk cache ("off": none); an empty one, removed afterwards, if not given.
        **arguments
            As JSON allows.

        Raises
        ------
        MeasurementError
        """
        if self.report is not None:
            self.report(" ".join([task.rpartition(".")[2], *(f"{k}={v}" for k, v in arguments.items())]))
        with tempfile.TemporaryDirectory(prefix="sparsejac-bench-") as name:
            scratch = Path(name)
            request, answer = scratch / "request.json", scratch / "answer.json"
            asked = {
                "task": task,
                "arguments": arguments,
                "preload": list(preload),
                "memory_limit": self.bytes,
                "processor": self.processor,
            }
            request.write_text(json.dumps(asked), encoding="utf-8")
            self._start([str(request), str(answer)], str(cache or scratch / "cache"))
            if not answer.exists():
                raise MeasurementError("the process ended without an answer")
            return Answer(**json.loads(answer.read_text(encoding="utf-8")))

    def _start(self, files: list[str], cache: str) -> None:
        environment = {**os.environ, CACHE_VARIABLE: cache}
        environment.pop(BYTECODE_VARIABLE, None)
        if self.threads is not None:
            environment[THREADS_VARIABLE] = str(self.threads)
        command = [sys.executable, "-m", "bench.worker", *files]
        code, errors = self._processes.run(command, environment, self.seconds)
        if code:
            raise MeasurementError(_reason(code, errors))


def _reason(code: int, text: str) -> str:
    """The last line of a traceback says most; numba and NumPy word the want of memory in several ways."""
    lines = [line for line in text.splitlines() if line.strip()]
    if any("MemoryError" in line for line in lines):
        return "out of memory"
    return lines[-1] if lines else f"the process ended with code {code}"
