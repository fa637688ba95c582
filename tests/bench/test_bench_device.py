"""The bench of the GPU: on a pretended device, where it runs to its end, and where there is none."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.__main__ import main
from bench.device import command, figures, timing
from coloring.checker import check
from emulated_cupy import pretended as pretended

TABLE = {
    *("read and written", "fused multiply-adds", figures.BYTES, figures.ARITHMETIC, figures.CALL),
    *("times faster than the processor, all cores", "set-up and first Jacobian, cold", "of which NVRTC"),
    *("set-up and first Jacobian, warm", "coloring, times faster than one thread"),
    *("colors, of those of the sequential greedy", "first Jacobian, cold", "first Jacobian, all compiled"),
}
"""What has to be measured, beside asdex where JAX sees a GPU."""


def test_without_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and no failure."""
    if command.count_devices():
        pytest.skip("there is a GPU")
    assert main(["--device", "gpu"]) == 0
    assert "skipped, no CuPy or no CUDA device" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize("target", ["demo", "bench"])
def test_make_without_a_gpu(target: str) -> None:
    """One line, and nothing is installed; with a GPU, CuPy is, and asdex for the benchmarks."""
    root = Path(__file__).parents[2]
    command_line = ["make", "--dry-run", target, "DEVICE=gpu", "CUDA=13"]
    for found, expected in (("", "skipped, nvidia-smi lists no GPU"), ("GPU 0", "cupy-cuda13x")):
        options = [f"NO_GPU={'' if found else 'none'}"]
        done = subprocess.run([*command_line, *options], cwd=root, capture_output=True, text=True, check=True)
        assert expected in done.stdout
        assert ("pip" in done.stdout) == bool(found)
        assert ("asdex" in done.stdout) == (bool(found) and target == "bench")


def test_it_runs_to_its_end(pretended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All figures at tiny sizes; times mean nothing here, counts do."""
    monkeypatch.setattr(timing, "REPEATS", 2)
    sizes = {"nnz": 600, "unknowns": 100, "coloring": 500, "copy": 8000, "blocks": 2, "turns": 2}
    assert sizes.keys() == command.QUICK.keys() == command.FULL.keys()
    monkeypatch.setattr(command, "QUICK", sizes)
    monkeypatch.setattr(figures, "SMALL", 60)
    monkeypatch.setattr(command, "_CACHES", ("CUPY_CACHE_DIR",))
    monkeypatch.setenv("CUPY_CACHE_DIR", "as before")
    monkeypatch.setattr(timing.host_seconds, "__defaults__", (2,))
    monkeypatch.setattr(timing.seconds, "__defaults__", (2,))
    shown, file = io.StringIO(), tmp_path / "gpu.json"
    assert command.run(Console(file=shown, width=120), quick=True, file=file) == 0
    rows = json.loads(file.read_text())["rows"]
    by_figure: dict[str, list[Any]] = {}
    for row in rows:
        by_figure.setdefault(row["figure"], []).append(row)
    assert {row["name"] for row in by_figure[figures.BYTES]} == set(figures.COVERED)
    for memory, arithmetic in zip(by_figure[figures.BYTES], by_figure[figures.ARITHMETIC], strict=True):
        assert memory["name"] == arithmetic["name"]
        assert [memory["bar"], arithmetic["bar"]].count(None) == 1  # that of the tighter limit
        assert memory["beside"]["bytes"] >= 8 * (memory["beside"]["nnz"] + memory["beside"]["unknowns"])
    assert set(by_figure) >= TABLE
    assert max(row["beside"]["launches"] for row in by_figure[figures.CALL]) > 1
    assert "asdex: skipped" in shown.getvalue() or figures.AGAINST_JAX in by_figure
    assert os.environ["CUPY_CACHE_DIR"] == "as before"
    assert "written to" in shown.getvalue()


def test_bars() -> None:
    """At least, or at most."""
    assert figures.Row("", "", 0.9, "", 0.8, {}).met is True
    assert figures.Row("", "", 0.9, "", 0.8, {}, most=True).met is False
    assert figures.Row("", "", 0.9, "", None, {}).met is None


@pytest.mark.parametrize("permuted", [False, True])
def test_meshes(permuted: bool) -> None:
    """Five entries in the rows inside, and a symmetric pattern."""
    matrix = figures.mesh(500, permuted=permuted)
    assert matrix.shape == (100, 100)
    assert matrix.nnz == 5 * 100 - 4 * 10
    dense = matrix.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    assert dense.diagonal().all()
    assert check(matrix, np.arange(100)) is None


def test_problems_of_so_many_entries() -> None:
    problem = figures.of_entries("bratu", 50_000)
    assert 8_000 <= problem.x.size <= 12_000
