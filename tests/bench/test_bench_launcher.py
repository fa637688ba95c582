"""Every measurement has a process, limits and a cache of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cases.case import Settings
from bench.launcher import ROOT, Launcher, MeasurementError

TASKS = Path(__file__).parent


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setenv("PYTHONPATH", str(TASKS))
    return Launcher(seconds=30.0, bytes=4 * 2**30)


def test_task_runs_elsewhere_with_an_empty_cache(launcher: Launcher) -> None:
    answers = [launcher.run("bench_tasks:echo", preload=("numpy",), given=3) for _ in range(2)]
    one, other = (answer.result for answer in answers)
    assert one["given"] == 3
    assert len({one["process"], other["process"], os.getpid()}) == 3
    assert len({one["cache"], other["cache"], os.environ.get("SPARSEJAC_CACHE_DIR")}) == 3
    assert answers[0].imports["numpy"] > 0


def test_cache_can_be_chosen(launcher: Launcher) -> None:
    assert launcher.run("bench_tasks:echo", preload=(), cache="off").result["cache"] == "off"


def test_steps_are_reported() -> None:
    said: list[str] = []
    with pytest.raises(MeasurementError):
        Launcher(report=said.append).run("nowhere:task", preload=(), n=7)
    assert said == ["nowhere:task n=7"]


def test_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TASKS))
    with pytest.raises(MeasurementError, match=r"more than 0\.5 s"):
        Launcher(seconds=0.5).run("bench_tasks:sleep", preload=())


def test_memory_is_limited(launcher: Launcher) -> None:
    with pytest.raises(MeasurementError, match="out of memory"):
        launcher.run("bench_tasks:allocate", preload=())


def test_errors_are_named(launcher: Launcher) -> None:
    with pytest.raises(MeasurementError, match="ZeroDivisionError"):
        launcher.run("bench_tasks:divide", preload=())


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stopping_ends_what_runs_with_its_children(launcher: Launcher, tmp_path: Path) -> None:
    file = tmp_path / "said"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(replace(launcher, processor=0).run, "bench_tasks:beget", preload=(), file=str(file))
        _until(file.exists)
        launcher.stop()
        with pytest.raises(MeasurementError):
            running.result(timeout=10.0)
    time.sleep(3.5)
    assert file.read_text(encoding="utf-8") == "begun\n"
    with pytest.raises(MeasurementError, match="stopped"):
        launcher.run("bench_tasks:echo", preload=())


def test_an_interruption_waits_for_no_measurement(launcher: Launcher, tmp_path: Path) -> None:
    """The task that is interrupted stands for the main thread, which is waiting for the first result."""
    begun = tmp_path / "begun"

    def work(alone: Settings, task: str) -> None:
        if task == "long":
            alone.launcher.run("bench_tasks:beget", preload=(), file=str(begun))
        _until(begun.exists)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Settings(launcher, jobs=2).each(["interrupted", "long", "never"], work)
    assert begun.read_text(encoding="utf-8") == "begun\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such signal")
def test_measurements_end_with_the_bench(tmp_path: Path) -> None:
    file = tmp_path / "process"
    command = (
        f"from bench.launcher import Launcher; Launcher().run('bench_tasks:linger', preload=(), file={str(file)!r})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TASKS), str(ROOT)])}
    bench = subprocess.Popen([sys.executable, "-c", command], env=environment)
    with bench:
        _until(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("\n"))
        bench.kill()
    task = Path("/proc", file.read_text(encoding="utf-8").strip(), "stat")
    _until(lambda: not task.exists() or task.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z")
