"""The cache of compiled code through the public calls: whole processes, one after another and at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Writes to standard output how many functions the process compiled; fails where a number is wrong.
SCRIPT = """
import numpy as np
from kernels import module
from sparsejac import prepare, sparse_jacobian

def f(u):
    y = np.zeros(len(u) - 1)
    y[:] = np.exp(-u[1:]) * u[:-1] ** 2
    return y

u = np.linspace(0.5, 1.5, 9)
rows = np.arange(8)
expected = np.zeros((8, 9))
expected[rows, rows] = 2.0 * u[:-1] * np.exp(-u[1:])
expected[rows, rows + 1] = -(u[:-1] ** 2) * np.exp(-u[1:])
found = sparse_jacobian(f, u, backend="numba", strategy="{strategy}").toarray()
assert np.abs(found - expected).max() < 1e-14, found - expected
value, jacobian = prepare(f, u, backend="numba", strategy="{strategy}").value_and_jacobian(2.0 * u)
assert np.abs(value - f(2.0 * u)).max() < 1e-14
print(module.compilations)
"""
ROOT = Path(__file__).parents[2]


def start(directory: Path | str, strategy: str = "identity") -> subprocess.Popen[str]:
    environment = {**os.environ, "SPARSEJAC_CACHE_DIR": str(directory)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.replace("{strategy}", strategy)],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> int:
    """How many functions the process compiled."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return int(output)


def files_of(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that one process has filled."""
    directory = tmp_path_factory.mktemp("filled")
    assert finish(start(directory)) > 0
    return directory


@pytest.fixture
def copied(filled: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(filled, tmp_path / "cache"))


def test_a_second_process_compiles_nothing(filled: Path) -> None:
    before = [(path, path.stat().st_mtime_ns) for path in files_of(filled)]
    assert finish(start(filled)) == 0
    assert [(path, path.stat().st_mtime_ns) for path in files_of(filled)] == before


def test_without_a_cache_every_process_compiles_and_writes_nothing(filled: Path) -> None:
    before = files_of(filled)
    assert finish(start("off")) > 0
    assert files_of(filled) == before
    assert not (ROOT / "off").exists()


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def halve(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def exchange_bundles(directory: Path) -> None:
    """Every bundle holds what belongs to another one."""
    bundles = sorted(path for path in (directory / "kernels").iterdir() if path.is_dir())
    if len(bundles) < 2:
        for bundle in bundles:
            bundle.rename(bundle.with_name("0" * len(bundle.name)))
        return
    contents = [{p.name: p.read_bytes() for p in bundle.iterdir()} for bundle in bundles]
    for bundle, content in zip(bundles, contents[1:] + contents[:1], strict=True):
        for name, data in content.items():
            (bundle / name).write_bytes(data)


def spoil_all(directory: Path) -> None:
    """Each file in another way."""
    for k, path in enumerate(files_of(directory)):
        (garble, halve, empty)[k % 3](path)


@pytest.mark.parametrize("spoil", [spoil_all, exchange_bundles])
def test_a_corrupted_cache_is_rebuilt(spoil: object, copied: Path) -> None:
    """The answer is right (the script checks it), and the next process finds a cache in order."""
    spoil(copied)  # type: ignore[operator]
    assert finish(start(copied)) > 0
    assert finish(start(copied)) == 0


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands where the directory should be: even root cannot write there."""
    blocked = tmp_path / "cache"
    blocked.write_text("in the way")
    assert finish(start(blocked)) > 0
    assert blocked.read_text() == "in the way"


def test_a_read_only_cache_is_read(copied: Path) -> None:
    """What is there is used, and nothing is written."""
    everything = sorted(copied.rglob("*"))
    for path in (*everything, copied):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert finish(start(copied)) == 0
        assert sorted(copied.rglob("*")) == everything
    finally:
        for path in (copied, *everything):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_processes_that_start_together(tmp_path: Path) -> None:
    """Three strangers with one empty cache: all are right, and the cache is whole afterwards."""
    strategies = ("identity", "forward", "identity")
    compiled = [finish(process) for process in [start(tmp_path, strategy) for strategy in strategies]]
    assert max(compiled) > 0
    assert finish(start(tmp_path, "forward")) == 0
    assert not list(tmp_path.rglob("tmp-*"))
