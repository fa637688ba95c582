"""Sparse Hessians on a device: the Jacobian of the gradient's Program, made symmetric by a gather."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.blocks import Blocks
from sparsejac.device.constants import Constants
from sparsejac.device.driver import cupy, here, managed
from sparsejac.device.evaluator import evaluator
from sparsejac.device.matrices import DeviceBlocks
from sparsejac.device.products import DevicePoint, point_on_device
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.options import Format, StrategyName, check_option
from sparsejac.products.evaluation import gradient_once
from sparsejac.transforms.symmetric import Mirrored, Triangle, mirrored


def sparse_hessian(given: dict[str, Any]) -> Any:
    """As `sparsejac.sparse_hessian`: a matrix of ``cupyx.scipy.sparse``."""
    call, triangle = "sparse_hessian", given["triangle"]
    check_option(call, "format", given["format"], Format)
    check_option(call, "triangle", triangle, Triangle)
    check_option(call, "strategy", given["strategy"], StrategyName)
    at = point_on_device(given, call, (given["x"], *given["args"]))
    template = gradient_once(at.point.scalar().smooth().program)
    constants = template.constants(at.point.constants)
    engine = engine_for(template.program, {"strategy": given["strategy"], "backend": "auto"}, constants)
    form = mirrored(engine.pattern, triangle)
    with cupy().cuda.Device(at.device):
        data = _entries(engine, at, Constants(constants))[_sources(engine, form, triangle)]
        blocks = Blocks(form.pattern, at.point.inputs, at.point.inputs)
        return DeviceBlocks(blocks, given["format"]).matrices(data, copy_structure=True)


def _entries(engine: Engine, at: DevicePoint, constants: Constants) -> Any:
    with managed(8 * engine.pattern.nnz, "the entries"):
        out = cupy().empty(engine.pattern.nnz)
    runs = evaluator(engine)
    _, infinite = runs.run("data", [at.x], constants, [out]).read()
    if infinite:
        runs.repair([at.x], constants, out)
    return out


def _sources(engine: Engine, form: Mirrored, triangle: str) -> Any:
    stage = f"device {here()}, sources of {triangle}"
    return engine.once(stage, lambda: cupy().asarray(np.ascontiguousarray(form.sources)))
