"""Every measurement has a process, limits and a cache of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.launcher import Launcher, MeasurementError

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
