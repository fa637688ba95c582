"""Dialects that look like NumPy: JAX, autograd's NumPy, and NumPy itself for the check of all the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.rewritten.dialect import Ints, Vector


class NumpyLike:
    """NumPy's names under another module.

    Parameters
    ----------
    module : module
    scatter : callable
        ``scatter(v, places, size)``, which NumPy writes in place.
    chain : callable, optional
        A loop over scalars, where the tool has one that it compiles.
    """

    def __init__(
        self,
        module: Any,
        scatter: Callable[[Vector, Ints, int], Vector],
        chain: Callable[[Callable[[Any, Any], Any], Any, Vector], Vector] | None = None,
    ) -> None:
        self._module = module
        self.scatter = scatter
        self._chain = chain
        self.sin, self.cos, self.exp, self.sqrt = module.sin, module.cos, module.exp, module.sqrt
        self.log = module.log

    def join(self, parts: Sequence[Vector]) -> Vector:
        return self._module.concatenate(parts)

    def interleave(self, a: Vector, b: Vector) -> Vector:
        return self._module.stack([a, b], axis=1).reshape(-1)

    def take(self, v: Vector, places: Ints) -> Vector:
        return v[places]

    def shift(self, v: Vector, shape: tuple[int, ...], axis: int, step: int, periodic: bool) -> Vector:
        grid = v.reshape(shape)
        if periodic:
            return self._module.roll(grid, -step, axis).reshape(-1)
        index: list[slice] = [slice(None)] * len(shape)
        index[axis] = slice(step, None) if step > 0 else slice(None, step)
        rim = list(shape)
        rim[axis] = abs(step)
        parts = [grid[tuple(index)], self._module.zeros(rim)]
        return self._module.concatenate(parts if step > 0 else parts[::-1], axis=axis).reshape(-1)

    def total(self, v: Vector) -> Vector:
        return self._module.sum(v).reshape(1)

    def sums(self, v: Vector, width: int) -> Vector:
        return self._module.sum(v.reshape(-1, width), axis=1)

    def spread(self, v: Vector, width: int) -> Vector:
        return self._module.repeat(v, width)

    def constant(self, v: npt.NDArray[np.float64]) -> Vector:
        return v

    def chain(self, step: Callable[[Any, Any], Any], first: Any, rest: Vector) -> Vector:
        if self._chain is not None:
            return self._chain(step, first, rest)
        s = first
        for k in range(len(rest)):
            s = step(s, rest[k])
        return s.reshape(1)


def _add_at(v: Any, places: Ints, size: int) -> Any:
    return np.bincount(places, weights=v, minlength=size)


NUMPY = NumpyLike(np, _add_at)
