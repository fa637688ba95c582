"""CUDA texts of this folder: compiled by CuPy on first use, launched on the current stream."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 256
MOST_BLOCKS = 1 << 16
"""All loops are grid-stride loops."""

_OPTIONS = ("--fmad=false", "-std=c++17")


def load_cupy() -> Any:
    """CuPy, imported when it is first needed.

    Raises
    ------
    RuntimeError
        If it is not there.
    """
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            f"coloring.device: CuPy cannot be imported ({error}); install cupy-cuda12x or cupy-cuda13x, as the driver "
            "asks, or color on the host by coloring.color"
        ) from error
    return cupy


@cache
def text(file: str) -> str:
    """A text, behind what all of them have in common."""
    folder = Path(__file__).parent
    return "".join((folder / name).read_text(encoding="utf-8") for name in ("common.cu", file))


class Program:
    """The functions of one text on the current device.

    Parameters
    ----------
    file : str
    """

    def __init__(self, file: str) -> None:
        self._compiled = load_cupy().RawModule(code=text(file), options=_OPTIONS)
        self._functions: dict[str, Any] = {}

    def launch(self, name: str, count: int, *arguments: Any, items: int | None = None) -> None:
        """Run a function for so many threads; arrays are CuPy's, numbers NumPy's scalars.

        The function is told how many `items` there are, by default as many.
        """
        if not count:
            return
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._compiled.get_function(name)
        blocks = min(-(-count // THREADS), MOST_BLOCKS)
        function((blocks,), (THREADS,), (np.uint64(count if items is None else items), *arguments))
