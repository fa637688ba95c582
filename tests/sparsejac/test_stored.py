"""Things kept on disk: read where nothing changed, made where anything did."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest

from sparsejac.on_disk import sources
from sparsejac.on_disk import stored as module
from sparsejac.on_disk.stored import stored, wait

ROOT = Path(__file__).parents[2]
WORK = 10**9


@dataclass(frozen=True, eq=False)
class Squares:
    numbers: Any


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, for modules that nobody changes meanwhile."""
    source = tmp_path / "package"
    source.mkdir()
    (source / "module.py").write_text("one")
    monkeypatch.setattr(sources, "_folders", [source])
    monkeypatch.setattr(module, "_STARTED", time.time_ns() + 10**12)
    monkeypatch.setattr(module, "counts", Counter())
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(tmp_path / "cache"))
    module._sources.cache_clear()
    yield tmp_path / "cache" / "structures"
    wait()
    module._sources.cache_clear()


def squares(count: int = 4, *, kind: str = "squares", work: int = WORK, **changed: Any) -> Any:
    key = changed.get("key", (count,))
    found = stored(kind, lambda: Squares(np.arange(count) ** 2), key=key, work=work, forms=(Squares,)).numbers
    assert found.tolist() == [k * k for k in range(count)]
    wait()
    return found


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.flat")) if cache.is_dir() else []


def test_threads_lose_no_count(cache: Path) -> None:
    """They take turns as often as they can while they count."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: stored("squares", int, key=(), work=0), range(4000)))
    finally:
        sys.setswitchinterval(interval)
    assert module.counts == {"made": 4000, "made squares": 4000}


def test_the_second_time_nothing_is_made(cache: Path) -> None:
    made, read = squares(), squares()
    assert np.array_equal(made, read)
    assert not read.flags.writeable
    assert module.counts["made squares"] == module.counts["written squares"] == module.counts["read squares"] == 1


def test_files_are_written_one_at_a_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each writer holds the lock from its look at the modules to the end of its file."""
    monkeypatch.setattr(sources, "are_unchanged", lambda _: module._writing.locked())
    with module._writing:
        for count in (3, 5, 7):
            stored("squares", lambda n=count: Squares(np.arange(n) ** 2), key=(count,), work=WORK, forms=(Squares,))
        sleep(0.05)
        assert files(cache) == []
    wait()
    assert len(files(cache)) == module.counts["written"] == 3


def test_a_writer_whose_start_is_interrupted_is_waited_for_by_nobody(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            squares()
    wait()
    assert files(cache) == []
    assert np.array_equal(squares(), np.arange(4) ** 2)
    wait()
    assert len(files(cache)) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_waits_for_no_writer_of_its_parent() -> None:
    with module._writing:
        child = os.fork()
        if child == 0:
            os._exit(module._writing.locked() or bool(module._writers))
        assert os.waitpid(child, 0)[1] == 0
        assert module._writing.locked()


def test_another_key_is_another_thing(cache: Path) -> None:
    squares(4)
    squares(5)
    squares(4, kind="others")
    squares(4, key=("4",))
    assert module.counts["read"] == 0
    assert len(files(cache)) == 4


def test_little_work_is_not_kept(cache: Path) -> None:
    for _ in range(2):
        squares(work=module.WORTH - 1)
    assert module.counts["made"] == 2
    assert not files(cache)


def test_what_is_larger_than_its_work_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH", 0)
    squares(1000, work=1000 * 8 // module.BYTES_PER_STEP - 1)
    assert not files(cache)
    squares(1000, work=1000 * 8 // module.BYTES_PER_STEP)
    assert len(files(cache)) == 1


def test_another_text_of_a_module_makes_it_anew(cache: Path) -> None:
    squares()
    (cache.parents[1] / "package" / "module.py").write_text("two")
    module._sources.cache_clear()
    squares()
    assert module.counts["made squares"] == 2
    assert len(files(cache)) == 2
    (cache.parents[1] / "package" / "module.py").write_text("one")
    module._sources.cache_clear()
    squares()
    assert module.counts["read squares"] == 1


def test_a_module_that_was_added_makes_it_anew(cache: Path) -> None:
    squares()
    (cache.parents[1] / "package" / "more.py").write_text("")
    module._sources.cache_clear()
    squares()
    assert module.counts["made squares"] == 2


def test_a_module_changed_while_the_process_runs_turns_the_disk_off(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STARTED", time.time_ns() - 10**9)
    for _ in range(2):
        squares()
    assert module.counts["made squares"] == 2
    assert not files(cache)


@pytest.mark.parametrize("name", ["coloring", "kernels"])
def test_the_start_is_that_of_whichever_package_was_first(name: str) -> None:
    """Between the two imports its modules may change."""
    script = f"import time, {name}; before = time.time_ns(); time.sleep(0.2)"
    script += "; from sparsejac.on_disk.stored import _STARTED as started; print(before - started - 2 * 10**9)"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(found.stdout) >= 0


def test_a_clock_that_is_set_back_turns_the_disk_off(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes may then bear a date before the start."""
    squares()
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**11)
    module._sources.cache_clear()
    squares()
    assert module.counts["read squares"] == 1
    monkeypatch.setattr(time, "time_ns", lambda: now() - 10**11)
    module._sources.cache_clear()
    squares()
    squares(5)
    assert module.counts["made squares"] == 3
    assert len(files(cache)) == 1


def test_a_module_changed_after_its_digest_was_taken_keeps_the_result_from_the_disk(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module._sources(cache) is not None
    monkeypatch.setattr(module, "_STARTED", time.time_ns() - 10**9)
    squares()
    assert not files(cache)


def test_other_tools_make_it_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squares()
    monkeypatch.setattr(np, "__version__", "0.0.1")
    squares()
    assert module.counts["made squares"] == 2


@pytest.mark.parametrize("damage", ["emptied", "cut", "flipped", "directory"])
def test_a_damaged_file_is_replaced(cache: Path, damage: str) -> None:
    squares(100)
    (path,) = files(cache)
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    if damage == "directory":
        path.unlink()
        path.mkdir()
        squares(100)
        return
    path.write_bytes({"emptied": b"", "cut": bytes(content[:-1]), "flipped": bytes(content)}[damage])
    squares(100)
    assert module.counts["made squares"] == 2
    assert module.counts["written squares"] == 2
    squares(100)
    assert module.counts["read squares"] == 1


def test_off(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", "off")
    for _ in range(2):
        squares()
    assert module.counts["made squares"] == 2
    assert not files(cache)


def test_a_place_that_cannot_be_written_is_no_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARSEJAC_CACHE_DIR", str(cache.parents[1] / "package" / "module.py"))
    for _ in range(2):
        squares()
    assert module.counts["made squares"] == 2
    assert module.counts["written"] == 0


def test_a_directory_that_is_only_read_is_read(cache: Path) -> None:
    squares()
    before = files(cache)
    cache.chmod(0o500)
    try:
        squares()
        assert module.counts["read squares"] == 1
        squares(7)  # root may write all the same
        assert set(before) <= set(files(cache))
    finally:
        cache.chmod(0o700)


def test_the_files_used_longest_ago_go_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_PER_STEP", 1 << 40)
    for count in (1001, 1002, 1003):
        squares(count)
        for path in files(cache):  # files of one moment would have one age
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 10**10))
    squares(1001)  # used again
    monkeypatch.setattr(module, "LIMIT", 3 * max(path.stat().st_size for path in files(cache)) + 500)
    squares(1004)
    monkeypatch.setattr(module, "counts", Counter())
    for count in (1001, 1003, 1004):
        squares(count)
    assert module.counts["read"] == 3
    squares(1002)
    assert module.counts["made"] == 1


def test_what_a_broken_process_left_goes_in_the_end(cache: Path) -> None:
    cache.mkdir(parents=True)
    old, new = cache / "tmp-old", cache / "tmp-new"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    squares()
    assert not old.exists()
    assert new.exists()


def test_what_cannot_be_a_key_is_refused(cache: Path) -> None:
    with pytest.raises(TypeError, match="part of a key"):
        squares(key=(object(),))


def test_no_module_is_read_before_there_is_something_to_look_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made for the first time waits for no digest of texts: only its writer takes it."""
    asked: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "_path", lambda folder, name: asked.append(threading.current_thread().name))
        squares(3)
    assert asked == ["sparsejac: writes what set-up found"]
    squares(3)
    squares(3)
    assert module.counts["made squares"] == 2
    assert module.counts["read squares"] == 1


def test_files_that_may_be_read_but_not_touched_are_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a cache that lies on a disk without writing, or is somebody else's."""

    def refused(*_: Any) -> None:
        raise PermissionError

    squares()
    monkeypatch.setattr(os, "utime", refused)
    squares()
    assert (module.counts["made squares"], module.counts["read squares"]) == (1, 1)
