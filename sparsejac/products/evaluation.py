"""Transformed Programs with their engines, kept by the structure of what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.engines import engine_for
from sparsejac.kept import Kept
from sparsejac.options import BackendName
from sparsejac.pieces.pieces import in_pieces
from sparsejac.programs.program import Program
from sparsejac.transforms import Linearized, Template, gradient_of, linearized, pulled, pushed, widened

Floats = npt.NDArray[np.float64]
T = TypeVar("T")

CAPACITY = 128
"""Number of transformed Programs that are kept; the one that was not used for longest goes first."""

_KNOWN: Kept[Any] = Kept(CAPACITY)


def evaluate(
    template: Template, inputs: Sequence[Floats], constants: Sequence[Floats], backend: BackendName
) -> tuple[Floats, Floats]:
    """The result of a transformed Program, and what is wanted beside it.

    `constants` are those of the Program that it was made from.
    """
    engine = value_engine(template.program, backend)
    return engine.value_and_aux([*inputs, *template.constants(constants)], check=False)


def value_engine(program: Program, backend: BackendName) -> Engine:
    """An engine that is asked for values only: zeros of constants do not shape it."""
    return engine_for(program, {"backend": backend}, values_only=True, roll=True)


def pushed_once(program: Program, seeds: int | None) -> Template:
    """See `pushed`."""
    return _kept(("pushed", program.digest, seeds), lambda: pushed(program, seeds))


def pulled_once(program: Program, seeds: int | None) -> Template:
    """See `pulled`."""
    return _kept(("pulled", program.digest, seeds), lambda: pulled(program, seeds))


def gradient_once(program: Program, *, with_value: bool = False) -> Template:
    """See `gradient_of`; without the value, to be differentiated again, of the Program in pieces."""

    def make() -> Template:
        return gradient_of(program, with_value=True) if with_value else gradient_of(in_pieces(program), again=True)

    return _kept(("gradient", program.digest, with_value), make)


def linearized_once(program: Program) -> Linearized:
    """See `linearized`."""
    return _kept(("linearized", program.digest), lambda: linearized(program))


def widened_once(program: Program, seeds: int) -> Template:
    """See `widened`."""
    return _kept(("widened", program.digest, seeds), lambda: widened(program, seeds))


def kept_template(key: tuple[object, ...], make: Callable[[], Template]) -> Template:
    """A transformed Program by a key that begins with a name of its own."""
    return _kept(key, make)


def clear() -> None:
    """Forget all transformed Programs."""
    _KNOWN.clear()


def _kept(key: tuple[object, ...], make: Callable[[], T]) -> T:
    found: T = _KNOWN.get(key, make)
    return found
