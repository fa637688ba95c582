"""Sweeps for tests: a plain loop to compare with, and kernels that are worth vectors."""

from __future__ import annotations

import numpy as np

from kernels.kernel import Kernel, KernelBuilder
from kernels.sweep import Sweep
from sparsejac.primitives import PRIMITIVES


def plain(sweep: Sweep, buffers: list[np.ndarray]) -> None:
    """Point after point, result after result."""
    loads = [access.address.table() for access in sweep.loads]
    stores = [store.access.address.table() for store in sweep.stores]
    for point in range(sweep.points):
        values = [float(buffers[a.buffer][table[point]]) for a, table in zip(sweep.loads, loads, strict=True)]
        for i in sweep.kernel.instructions:
            values.append(
                i.literal if i.operation is None else float(i.operation.evaluate(*(values[o] for o in i.operands)))
            )
        for store, table, output in zip(sweep.stores, stores, sweep.kernel.outputs, strict=True):
            buffer, place = buffers[store.access.buffer], table[point]
            buffer[place] = buffer[place] + values[output] if store.adds else values[output]


def heavy_kernel(outputs: int) -> Kernel:
    """Loads a, b, c; as many results as asked for, each with divisions of its own, the last one twice."""
    build = KernelBuilder(3)
    divide, add, multiply = (PRIMITIVES[name].operation for name in ("divide", "add", "multiply"))
    results = []
    for k in range(outputs - 1):
        result = build.apply(divide, build.apply(add, 0, build.literal(k + 1.5)), build.apply(multiply, 1, 1))
        results.append(build.apply(divide, result, build.apply(add, 2, build.literal(0.25))))
    return build.build(*results, results[-1])
