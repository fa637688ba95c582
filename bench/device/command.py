"""The command: everything on the GPU that is there, as a table and JSON; one line where there is none."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.device import figures, jax_peers, timing
from bench.machine import describe
from kernels.lazy import load
from sparsejac.device.driver import count_devices

RESULTS = Path(__file__).parent.parent / "results"
FULL = {"nnz": 10_000_000, "unknowns": 10_000_000, "coloring": 100_000_000, "copy": 2_000_000_000}
FULL |= {"blocks": 1 << 14, "turns": 1 << 10}
QUICK = {"nnz": 20_000, "unknowns": 4_000, "coloring": 20_000, "copy": 8_000_000}
QUICK |= {"blocks": 1 << 10, "turns": 1 << 6}
_CACHES = ("CUPY_CACHE_DIR", "SPARSEJAC_CACHE_DIR")


def run(console: Console, *, quick: bool = False, file: Path | None = None) -> int:
    """Measure, show, write; 0 also where there is nothing to measure on.

    Parameters
    ----------
    console : Console
    quick : bool
        Tiny sizes, to see that it runs.
    file : Path, optional
        Where to write; by default a new file among the results.
    """
    if not count_devices():
        console.print("bench --device gpu: skipped, no CuPy or no CUDA device (see docs/gpu.md)", highlight=False)
        return 0
    with _nothing_compiled():
        return _run(console, quick=quick, file=file)


@contextmanager
def _nothing_compiled() -> Iterator[None]:
    """What CuPy and this project keep on disk is elsewhere, and empty: the first set-up is a cold one."""
    before = {name: os.environ.get(name) for name in _CACHES}
    with tempfile.TemporaryDirectory(prefix="bench-gpu") as folder:
        os.environ.update({name: str(Path(folder) / name) for name in _CACHES})
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ.update({} if value is None else {name: value})


def _run(console: Console, *, quick: bool, file: Path | None) -> int:
    cupy, sizes, rows = load("cupy"), QUICK if quick else FULL, []
    table = Table("what", "figure", "value", "bar", "met")

    def tell(row: figures.Row) -> None:
        rows.append(row)
        bar = "" if row.bar is None else f"{'<=' if row.most else '>='} {row.bar:g}"
        met = "" if row.met is None else "yes" if row.met else "NO"
        table.add_row(row.name, row.figure, f"{row.value:.3g} {row.unit}", bar, met)
        beside = ", ".join(f"{name} {value:.4g}" for name, value in row.beside.items())
        console.print(f"{row.name}: {row.figure} {row.value:.3g} {row.unit} ({beside})", highlight=False)

    bandwidth = timing.copy_bandwidth(cupy, sizes["copy"])
    tell(figures.Row("copy", "read and written", 1e-9 * bandwidth, "GB/s", None, {"bytes": float(sizes["copy"])}))
    additions, divisions = timing.arithmetic_rates(cupy, sizes["blocks"], sizes["turns"])
    tell(figures.Row("float64", "fused multiply-adds", 1e-9 * additions, "G/s", None, {"divisions": 1e-9 * divisions}))
    if not jax_peers.has_gpu():
        console.print("asdex: skipped, there is no JAX that sees the GPU (pip install 'jax[cuda12]' asdex)")
    for measure in _measures(cupy, sizes, figures.Limits(bandwidth, additions, divisions), tell):
        measure()
    console.print(table)
    console.print(f"written to {_write(cupy, rows, file)}", highlight=False, soft_wrap=True)
    return 0


def _measures(
    cupy: Any, sizes: dict[str, int], limits: figures.Limits, tell: Callable[[figures.Row], None]
) -> list[Callable[[], None]]:
    return [
        lambda: figures.setup(cupy, sizes["unknowns"], tell),
        lambda: figures.plans(cupy, sizes["nnz"], limits, tell),
        lambda: figures.calls(cupy, tell),
        lambda: figures.colorings(cupy, sizes["coloring"], tell),
    ]


def _write(cupy: Any, rows: list[figures.Row], file: Path | None) -> Path:
    now = datetime.now(UTC)
    file = RESULTS / f"gpu-{now:%Y-%m-%dT%H-%M-%S}.json" if file is None else file
    file.parent.mkdir(parents=True, exist_ok=True)
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    device = {"name": properties["name"].decode(), "cupy": str(cupy.__version__)}
    content = {"when": now.isoformat(), "machine": describe(), "device": device, "rows": [asdict(row) for row in rows]}
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return file
