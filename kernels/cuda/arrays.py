"""The buffers of a module: stand-ins, which are NumPy arrays, as places in buffers; tables; scratch memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.address import Content, Index
from kernels.cuda.module import Buffer, Role
from kernels.cuda.nest import INT32_MAX, View
from kernels.evaluation import StandIn


class Arrays:
    """Buffers, in the order of their first use.

    Parameters
    ----------
    dtype : {"float64", "float32"}
        Of all buffers of real numbers.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.buffers: list[Buffer] = []
        self._roots: dict[int, int] = {}
        self._kept: list[npt.NDArray[Any]] = []
        self._tables: dict[str, View] = {}

    def declare(self, arrays: Sequence[npt.NDArray[Any]], role: Role) -> tuple[int, ...]:
        """Stand-ins for arrays that come with each run.

        Raises
        ------
        ValueError
            If one of them is a part of another array, or comes in two roles.
        """
        numbers = []
        for array in arrays:
            if id(array) not in self._roots:
                if isinstance(array.base, np.ndarray) and array.base.size != array.size:
                    raise ValueError(f"print_module: an {role} is a view of {array.base.size} numbers; give it whole")
                self._roots[id(array)] = self._add(role, array.size, keep=array)
            number = self._roots[id(array)]
            if self.buffers[number].role != role:
                raise ValueError(f"print_module: one array is both {self.buffers[number].role} and {role}")
            numbers.append(number)
        return tuple(numbers)

    def view(self, array: npt.NDArray[Any]) -> View:
        """Where an array lies; those that were never seen are work buffers, with what they hold now.

        Raises
        ------
        ValueError
            If it is not contiguous, holds something else than float64, or stands for what is no input.
        """
        if array.dtype != np.float64 or not array.flags.c_contiguous:
            raise ValueError(
                f"print_module: an array of {array.dtype}, strides {array.strides}; expected contiguous float64"
            )
        root: Any = array
        while id(root) not in self._roots and isinstance(root.base, np.ndarray):
            root = root.base
        if id(root) not in self._roots and isinstance(array, StandIn):
            raise ValueError("print_module: a stand-in that is none of the evaluation's inputs; give it among them")
        if id(root) not in self._roots:
            self._roots[id(root)] = self._add("work", root.size, keep=root, initial=root.reshape(-1))
        offset = (array.ctypes.data - root.ctypes.data) // array.itemsize
        return View(self._roots[id(root)], offset if array.size else 0, array.size)

    def scratch(self, size: int) -> View:
        """Memory for what is between two steps."""
        return View(self._add("scratch", size), 0, size)

    def status(self) -> int:
        """Two whole numbers: see `kernels.cuda.module.Run`."""
        return self._add("work", 2, dtype="int32")

    def table(self, numbers: Index, content: Content | None = None) -> View:
        """Whole numbers that are only read; equal ones are there once, by 32 bits each where that is enough."""
        key = f"{(content or Content(numbers)).digest}{len(numbers)}"
        if key not in self._tables:
            wide = int(numbers.max(initial=0)) > INT32_MAX
            initial = np.ascontiguousarray(numbers, dtype=np.int64 if wide else np.int32)
            number = self._add("table", len(numbers), initial=initial, dtype=str(initial.dtype))
            self._tables[key] = View(number, 0, len(numbers))
        return self._tables[key]

    def constants(self, numbers: npt.NDArray[np.float64]) -> View:
        """Real numbers that are only read."""
        return View(self._add("table", numbers.size, initial=numbers.reshape(-1)), 0, numbers.size)

    def finish(self) -> tuple[Buffer, ...]:
        """All buffers; work buffers of zeros need no initial content."""
        return tuple(
            replace(b, initial=None) if b.role == "work" and b.initial is not None and _is_zero(b.initial) else b
            for b in self.buffers
        )

    def _add(
        self,
        role: Role,
        size: int,
        keep: npt.NDArray[Any] | None = None,
        initial: npt.NDArray[Any] | None = None,
        dtype: str | None = None,
    ) -> int:
        if keep is not None:
            self._kept.append(keep)  # its identity must not go to another array
        number = len(self.buffers)
        self.buffers.append(Buffer(f"{role}{number}", role, size, dtype or self.dtype, initial))
        return number


def _is_zero(numbers: npt.NDArray[np.float64]) -> bool:
    """Whether no bit is set; whoever made the array may have left anything in it."""
    return not numbers.view(np.uint64).any()
