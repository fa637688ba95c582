"""CUDA texts of this folder: compiled on first use on a device, launched on the current stream."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sparsejac.device.driver import cupy, here, managed
from sparsejac.kept import Kept

THREADS = 256

_MOST_BLOCKS = 1 << 16
"""All loops are grid-stride loops."""

_OPTIONS = ("--fmad=false", "-std=c++17")
_TEXTS: Kept[Text] = Kept(64)


@cache
def source(file: str, width: int = 1) -> str:
    """A text behind what all have in common, for matrices of one width."""
    folder = Path(__file__).parent
    parts = [(folder / name).read_text(encoding="utf-8") for name in ("common.cu", file)]
    return f"#define WIDTH {width}\n".join(["", "\n".join(parts)])


class Text:
    """The functions of one text on the current device.

    Parameters
    ----------
    file : str
    width : int
    """

    def __init__(self, file: str, width: int) -> None:
        with managed(0, "the solvers"):
            self._compiled = cupy().RawModule(code=source(file, width), options=_OPTIONS)
        self._functions: dict[str, Any] = {}

    def launch(self, name: str, threads: int, *arguments: Any) -> None:
        """Run a function for so many threads; arguments are arrays of CuPy, and numbers that are not negative."""
        if not threads:
            return
        function = self._functions.get(name)
        if function is None:
            with managed(0, "the solvers"):
                function = self._functions[name] = self._compiled.get_function(name)
        blocks = min(-(-threads // THREADS), _MOST_BLOCKS)
        given = tuple(np.uint64(a) if isinstance(a, int) else a for a in arguments)
        function((blocks,), (THREADS,), given)


def text(file: str, width: int = 1) -> Text:
    """A text on the current device: there is one."""
    return _TEXTS.get((here(), file, width), lambda: Text(file, width))
