"""Products of a local Jacobian with vectors, by the rule that a user gave or by differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from sparsejac.errors import InputError
from sparsejac.location import user_location

Floats = npt.NDArray[np.float64]

_STEP = np.finfo(float).eps ** 0.2
_ACCURACY = 1e-6


@dataclass(frozen=True, eq=False)
class Rule:
    """A function and the derivative that its author gave; see `sparsejac.primitive`."""

    function: Callable[..., Any]
    jvp: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    sparsity: Any

    @property
    def name(self) -> str:
        """Name of the function, for messages."""
        return str(getattr(self.function, "__name__", repr(self.function)))

    @property
    def is_given(self) -> bool:
        """Whether there is a rule; otherwise differences stand in."""
        return self.jvp is not None or self.vjp is not None

    @property
    def by_columns(self) -> bool:
        """Whether products are those of the local Jacobian, not of its transpose."""
        return self.jvp is not None or self.vjp is None

    def wrong(self, what: str) -> InputError:
        """The error for a rule that contradicts itself or its function."""
        return InputError(
            f"primitive: {self.name}: {what}\n  {user_location()}\n  Cure: mend the rule; args and tangents of "
            "jvp(args, tangents), and args of vjp(args, cotangent), are tuples with one array for each argument."
        )


@dataclass(frozen=True, eq=False)
class Block:
    """Where the local Jacobian by one argument has entries, and its seeds."""

    argument: int
    pattern: csr_array
    colors: npt.NDArray[Any]
    num_colors: int


class LocalProducts:
    """Products of a local Jacobian with vectors, by the rule or by differences."""

    def __init__(self, made: Rule, options: dict[str, Any], args: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        self.made = made
        self.options = options
        self.args = args
        self.shape = shape

    def compressed(self, block: Block) -> Floats:
        """The local Jacobian times its seeds (its transpose, by rows), one column for each color."""
        result = np.zeros((block.pattern.shape[0 if self.made.by_columns else 1], block.num_colors))
        for c in range(block.num_colors):
            result[:, c] = self.product(block.argument, np.where(block.colors == c, 1.0, 0.0))
        return result

    def check(self, block: Block, data: Floats) -> None:
        """Compare one product with a random vector: a sparsity that leaves out entries does not pass."""
        matrix = csr_array((data, block.pattern.indices, block.pattern.indptr), shape=block.pattern.shape)
        oriented: csr_array = matrix if self.made.by_columns else csr_array(matrix.T)
        seed = np.random.default_rng(0).uniform(1.0, 2.0, oriented.shape[1])
        expected, got = self.product(block.argument, seed), oriented @ seed
        scale = np.asarray(abs(oriented) @ seed) + np.abs(expected)
        limit = (1e-9 if self.made.is_given else _ACCURACY) * (scale + np.max(scale, initial=0.0))
        wrong = np.isfinite(expected) & np.isfinite(got) & (abs(got - expected) > limit)
        if wrong.any():
            line = f"{'row' if self.made.by_columns else 'column'} {int(np.argmax(wrong))}"
            raise self.made.wrong(
                f"the sparsity of argument {block.argument} leaves out entries of {line}, or the derivative is not "
                "linear in its direction"
            )

    def product(self, k: int, seed: Floats) -> Floats:
        """One product by argument k."""
        made = self.made
        if made.jvp is not None:
            return self._shaped(made.jvp(self.args, self._tangents(k, seed), **self.options), self.shape)
        if made.vjp is not None:
            gradients = made.vjp(self.args, seed.reshape(self.shape), **self.options)
            if not isinstance(gradients, tuple) or len(gradients) != len(self.args):
                raise made.wrong(f"vjp must return a tuple of {len(self.args)} gradients")
            return self._shaped(gradients[k], np.shape(self.args[k]))
        return self._difference(k, seed)

    def _tangents(self, k: int, seed: Floats) -> tuple[Any, ...]:
        return tuple(
            seed.reshape(np.shape(a)) if j == k else np.zeros(np.shape(a)) if _is_floating(a) else None
            for j, a in enumerate(self.args)
        )

    def _shaped(self, product: Any, shape: tuple[int, ...]) -> Floats:
        found = np.asarray(product)
        if found.shape != shape or found.dtype.kind not in "biuf":
            what = "None" if product is None else f"a derivative of shape {found.shape} and dtype {found.dtype}"
            raise self.made.wrong(f"the rule gave {what}, expected real numbers of shape {shape}")
        return np.asarray(product, dtype=np.float64).reshape(-1)

    def _difference(self, k: int, seed: Floats) -> Floats:
        """Central differences of three steps, extrapolated twice; the last change is the estimate of the error."""
        point = np.asarray(self.args[k], dtype=np.float64)
        step = _STEP * max(1.0, float(np.max(abs(point), initial=0.0)))
        simple = [self._central(k, point, seed, step / 2**n) for n in range(3)]
        first = [(4.0 * b - a) / 3.0 for a, b in pairwise(simple)]
        best = np.asarray((16.0 * first[1] - first[0]) / 15.0)
        error = float(np.max(abs(best - first[1]), initial=0.0))
        if not error <= _ACCURACY * max(float(np.max(abs(best), initial=0.0)), 1.0):
            raise self.made.wrong(f"differences are off by about {error:.1e}; give jvp= or vjp=")
        return best

    def _central(self, k: int, point: Floats, seed: Floats, step: float) -> Floats:
        move = step * seed.reshape(point.shape)
        moved = [p if p.ndim else float(p) for p in (np.asarray(point + move), np.asarray(point - move))]
        high, low = (
            np.asarray(self.made.function(*self.args[:k], p, *self.args[k + 1 :], **self.options)) for p in moved
        )
        return np.asarray((high - low).reshape(-1) / (2.0 * step), dtype=np.float64)


def _is_floating(argument: Any) -> bool:
    return isinstance(argument, float) or (isinstance(argument, np.ndarray) and argument.dtype.kind == "f")
