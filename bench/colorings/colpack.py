"""ColPack, by a small driver compiled on the spot."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.colorings.patterns import Triple

SOURCE = Path(__file__).resolve().parents[1] / "native" / "colpack.cpp"
HEADERS = (Path("/usr/include/ColPack"), Path("/usr/local/include/ColPack"))

# Kind and name of each method; what stands for no color is not counted there.
METHODS = {
    "column": ("partial", "COLUMN_PARTIAL_DISTANCE_TWO"),
    "row": ("partial", "ROW_PARTIAL_DISTANCE_TWO"),
    "star": ("graph", "STAR"),
    "restricted_star": ("graph", "RESTRICTED_STAR"),
    "naive_star": ("graph", "NAIVE_STAR"),
    "acyclic": ("graph", "ACYCLIC"),
    "star_bicoloring": ("bicoloring", "IMPLICIT_COVERING__STAR_BICOLORING"),
    "greedy_bicoloring": ("bicoloring", "IMPLICIT_COVERING__GREEDY_STAR_BICOLORING"),
}


def missing() -> str | None:
    """Say what is not installed, or None."""
    if shutil.which("g++") is None:
        return "no g++ (on Debian: apt-get install g++)"
    if not any((folder / "ColPackHeaders.h").exists() for folder in HEADERS):
        return "no ColPack (on Debian: apt-get install libcolpack-dev)"
    return None


def driver() -> Path:
    """Compile the driver, once for each version of its source."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sparsejac-bench"
    program = cache / f"colpack-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = program.with_suffix(f".{os.getpid()}")
        includes = [f"-I{folder}" for folder in HEADERS if folder.exists()]
        command = ["g++", "-O3", "-fopenmp", "-std=c++17", *includes, str(SOURCE), "-lColPack", "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True)
        made.replace(program)
    return program


def _end_with_parent() -> None:
    """Let the program end when this process is ended at its limit of time (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def color(triple: Triple, method: str, order: str, threads: int = 1) -> tuple[npt.NDArray[np.int32], float]:
    """Color with ColPack: the colors (-1 for none), and the seconds of building its graph and coloring it."""
    kind, variant = METHODS[method]
    indptr, indices, (m, n) = triple
    with tempfile.TemporaryDirectory(prefix="colpack-") as folder:
        source, result = Path(folder, "matrix"), Path(folder, "colors")
        with source.open("wb") as file:
            np.array([m, n, len(indices)], dtype=np.int64).tofile(file)
            indptr.astype(np.int32).tofile(file)
            indices.astype(np.int32).tofile(file)
        command = [str(driver()), str(source), str(result), kind, variant, order.upper()]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, check=True, capture_output=True, env=environment, preexec_fn=_end_with_parent)
        raw = result.read_bytes()
    colors = np.frombuffer(raw[8:], dtype=np.int32).copy()
    if kind == "bicoloring":
        # Its implicit covers give 0 to rows without color, and one more than all lines to columns without.
        colors[:m][colors[:m] == 0] = -1
        colors[m:][colors[m:] == m + n + 1] = -1
    return colors, float(np.frombuffer(raw[:8])[0])
