"""A kernel evaluated instruction by instruction on whole arrays, without any compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.kernel import Kernel

FloatArray = npt.NDArray[np.float64]


class Interpreter:
    """Evaluates one kernel on arrays that broadcast against each other.

    Literals stay scalars, so an output that depends on no load has shape ().
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._dead = _dead_after(kernel)

    def __call__(self, loads: Sequence[FloatArray]) -> list[FloatArray]:
        """All outputs of the kernel."""
        values: list[Any] = list(loads)
        for instruction, dead in zip(self.kernel.instructions, self._dead, strict=True):
            if instruction.operation is None:
                values.append(np.float64(instruction.literal))
            else:
                result = instruction.operation.evaluate(*[values[o] for o in instruction.operands])
                values.append(np.asarray(result, dtype=np.float64))
            for value in dead:
                values[value] = None
        return [values[o] for o in self.kernel.outputs]


def _dead_after(kernel: Kernel) -> list[tuple[int, ...]]:
    """For each instruction, the values that nothing needs once it has run (large arrays are freed early)."""
    last = {o: t for t, i in enumerate(kernel.instructions) for o in i.operands}
    dead: list[list[int]] = [[] for _ in kernel.instructions]
    for value, t in last.items():
        if value not in kernel.outputs:
            dead[t].append(value)
    return [tuple(d) for d in dead]
