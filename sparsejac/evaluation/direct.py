"""The short way through a plan: x one array as the plan knows it, beside it nothing but numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.records import dataclass
from sparsejac.arguments import is_operand
from sparsejac.evaluation.decisions import DecisionError
from sparsejac.evaluation.engine import Engine
from sparsejac.evaluation.variants import Variant, Variants
from sparsejac.options import Format
from sparsejac.signature import Bound
from sparsejac.structure import Leaf

Floats = npt.NDArray[np.float64]

_FLOAT = np.dtype(np.float64)
_NUMBERS = (float, np.float64)
_UNCHANGING = (type(None), bool, int, str, bytes, np.bool_, np.int64)


@dataclass(frozen=True, eq=False)
class _Way:
    """A way through f with all that an evaluation needs at hand."""

    variant: Variant
    engine: Engine
    constants: tuple[Floats, ...]
    nnz: int
    is_regular: bool
    """Whether its pattern is the plan's."""


@dataclass(frozen=True, eq=False)
class _Ways:
    """All ways that may be taken, and whether any of them holds at one point whatever its decisions."""

    version: int
    ways: tuple[_Way, ...]
    decides: bool


class Direct:
    """Evaluates where nothing has to be taken apart, converted or copied, and says None everywhere else.

    What a plan does at full length is found here by a few comparisons: x is an array of the shape that the plan knows,
    float64, contiguous; further arguments are those of `prepare`, or floats and float64 arrays in their places. x is
    read where it lies. The ways through f are tried in the same order as at full length. Where x and `out` are all that
    there is, and f takes one way only, `Variants.shortest` gives entries and matrices without looking any further.

    Parameters
    ----------
    variants : Variants
    defaults : Bound
        The call of `prepare`.
    format : {"csr", "csc", "coo"}
    """

    def __init__(self, variants: Variants, defaults: Bound, format: Format) -> None:
        self._variants = variants
        self._format: Format = format
        self._usable = _is_plain(defaults)
        if not self._usable:
            return
        self._shape: tuple[int, ...] = defaults.inputs.shape  # type: ignore[union-attr]
        self._is_flat = len(self._shape) == 1
        self._fixed = defaults.fixed
        self._given = [_flat(argument) for argument in defaults.operands]
        self._shapes = [np.shape(argument) for argument in defaults.operands]
        operands = [is_operand(argument) for argument in defaults.args[1:]]
        self._places = [sum(operands[:k]) if found else None for k, found in enumerate(operands)]
        self._known = _Ways(-1, (), decides=False)
        self._version = -1

    def evaluate(
        self, x: Any, args: tuple[Any, ...], out: Any = None, *, regular: bool = False, values: bool = False
    ) -> tuple[Variant, Floats, list[Floats]] | None:
        """The way taken, the entries in its pattern, and the value and what f returned beside it.

        Parameters
        ----------
        x : object
        args : tuple
            What came after x.
        out : object, optional
            Where to write the entries, which is possible if they are those of the plan's pattern.
        regular : bool
            Whether the entries have to be those of the plan's pattern.
        values : bool
            Whether the value is wanted.

        Returns
        -------
        tuple or None
            None where the call is none for the short way.
        """
        if not self._usable or type(x) is not np.ndarray or x.dtype != _FLOAT or x.shape != self._shape:
            return None
        flags, given = x.flags, self._operands(args) if args else self._given
        if given is None or not (flags.c_contiguous and flags.aligned):
            return None
        known = self._known
        if known.version != self._variants.version:
            known = self._look_up()
        ways = known.ways
        if out is not None and not _can_hold(out, ways):
            return None
        numbers = [x if self._is_flat else x.reshape(-1), *given]
        exact = [way for way in ways if way.variant.was_traced_at(numbers)] if known.decides else []
        for way in exact[:1] or ways:
            if regular and not way.is_regular:
                return None
            data = np.empty(way.nnz) if out is None else out
            try:
                read = way.engine.write(
                    (*numbers, *way.constants), data, _read(way.engine) if values else (), check=not exact
                )
            except DecisionError:
                continue
            if self._version != known.version and not (args or values):
                self._repeat(known, way)  # after the evaluation, whose workspace it takes
            return way.variant, data, read
        return None

    def _repeat(self, known: _Ways, way: _Way) -> None:
        """Keep the shortest way of all, once there is one: one way through f, as long as no other is known."""
        if not (self._is_flat and len(known.ways) == 1 and way.is_regular):
            self._version = known.version
            return
        again = way.engine.again((*self._given, *way.constants), *self._shape)
        if again is None:
            return
        blocks = way.variant.blocks
        frame = blocks.frame(self._format)
        matrix = partial(blocks.matrices, format=self._format, copy_structure=False) if frame is None else frame.matrix
        self._variants.shortest, self._version = (again, matrix), known.version
        if self._variants.version != known.version:  # another thread has met a way meanwhile
            self._variants.shortest = None

    def _operands(self, args: tuple[Any, ...]) -> list[Floats] | None:
        """The operands, some of them other ones; copies, which `out` cannot overlap."""
        if len(args) > len(self._places):
            return None
        given = list(self._given)
        for argument, place in zip(args, self._places, strict=False):
            kind = type(argument)
            is_number = kind in _NUMBERS
            if place is None or not (is_number or (kind is np.ndarray and argument.dtype == _FLOAT)):
                return None
            if (() if is_number else argument.shape) != self._shapes[place]:
                return None
            given[place] = _flat(argument)
        return given

    def _look_up(self) -> _Ways:
        """The ways that may be taken, after one more was met."""
        version, known = self._variants.version, self._variants.known
        sizes = (int(np.prod(self._shape)), *map(len, self._given))
        fitting = [v for v in known if v.fixed == self._fixed and v.traced.program.input_sizes == sizes]
        decides = any(variant.point is not None for variant in fitting)
        self._known = found = _Ways(version, tuple(_way(variant, known[0]) for variant in fitting), decides=decides)
        return found


def _is_plain(call: Bound) -> bool:
    """Whether x is one array, the first argument, and all others are numbers, or cannot change."""
    is_first = call.signature.argnums == 0 and isinstance(call.inputs, Leaf) and not call.frozen
    others = call.further.values()
    return is_first and all(_is_plain_array(a) or type(a) in (*_NUMBERS, *_UNCHANGING) for a in others)


def _is_plain_array(argument: Any) -> bool:
    return type(argument) is np.ndarray and argument.dtype == _FLOAT


def _flat(argument: Any) -> Floats:
    return np.array(argument, dtype=np.float64, order="C").reshape(-1)


def _way(variant: Variant, first: Variant) -> _Way:
    constants = tuple(np.require(c, np.float64, ("C", "A")) for c in variant.traced.constants)
    engine, pattern = variant.engine, variant.engine.pattern
    taken = tuple(engine.schedule.sizes[b] for b in engine.schedule.inputs)
    assert taken == (*variant.traced.program.input_sizes, *map(len, constants))
    is_regular = pattern is first.engine.pattern or pattern == first.engine.pattern
    return _Way(variant, engine, constants, pattern.nnz, is_regular)


def _can_hold(out: Any, ways: tuple[_Way, ...]) -> bool:
    return (
        type(out) is np.ndarray
        and bool(ways)
        and out.dtype == _FLOAT
        and out.shape == (ways[0].nnz,)
        and out.flags.carray
    )


def _read(engine: Engine) -> tuple[int, ...]:
    """The buffers of the value, and of what is wanted beside it."""
    schedule = engine.schedule
    return (schedule.output,) if schedule.aux is None else (schedule.output, schedule.aux)
