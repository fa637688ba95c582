"""Engines by the structure of a Program: set-up is paid once, however often a function is traced."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from kernels.forks import process_lock
from kernels.lazy import Lazy
from kernels.records import dataclass
from kernels.step import Schedule
from sparsejac.evaluation.analysis import EngineOptions
from sparsejac.evaluation.candidates import MOST_LAUNCHES, ROLLING
from sparsejac.evaluation.engine import Engine
from sparsejac.on_disk.digests import follows
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.zeros import digest, fact_of, relevant_inputs
from sparsejac.pieces.pieces import in_pieces
from sparsejac.programs.addressing import remembering
from sparsejac.programs.program import Program, has_active_calls
from sparsejac.schedules.fusion import Lowered, lower

if TYPE_CHECKING:
    from sparsejac.transforms.symmetric import HessianOf

COLORING, EXPLICIT = Lazy("coloring"), Lazy("sparsejac.transforms.explicit")
T = TypeVar("T")

CAPACITY = 64
"""Number of engines kept; the one that was not used for longest goes first."""

_ASIDE = 20
"""Points outside of loops, for one inside, from which loops are left out if a few straight lines do as well."""

MEMORY = 2**30
"""Bytes that all kept engines together may hold; the one used last stays however large it is."""


@dataclass(frozen=True, eq=False)
class _Structure:
    """A lowered Program.

    Parameters
    ----------
    lowered : Lowered
    shaping : tuple of int
        Input buffers whose zeros bear on the sparsity pattern.
    """

    lowered: Lowered
    shaping: tuple[int, ...]


_LOCK = process_lock()
_ENGINES: OrderedDict[tuple[object, ...], Engine] = OrderedDict()
_STRUCTURES: OrderedDict[tuple[object, ...], _Structure] = OrderedDict()
_noted: tuple[object, int] | None = None
"""The engine that was used last, and the bytes that it held then."""


def engine_for(
    program: Program,
    options: Mapping[str, Any],
    constants: Sequence[npt.NDArray[np.float64]] = (),
    *,
    values_only: bool = False,
    hessian: HessianOf | None = None,
    roll: bool = False,
) -> Engine:
    """The engine of a Program: a known one of the same digest, zeros and options, or a new one.

    Parameters
    ----------
    program : Program
    options : mapping
        Keywords of `EngineOptions`.
    constants : sequence of array, optional
        Values of the program's constants. Only where those that are factors or conditions are zero shapes the engine.
    values_only : bool
        Whether no derivative is asked for: calls with rules need not be written out then.
    hessian : HessianOf, optional
        What a gradient's Program is the gradient of.
    roll : bool
        Whether chains of small nodes may become loops, where the strategy goes through them.
    """
    roll &= hessian is None and options.get("strategy", "auto") in (*ROLLING, "auto", "measure")
    key: tuple[object, ...] = (program.digest, values_only, roll)
    structure = _kept(_STRUCTURES, key, lambda: _lower(program, roll=roll, values_only=values_only))
    first = len(program.input_sizes)
    shaping = [b for b in structure.shaping if first <= b < first + len(constants)]
    known = {b: fact_of(constants[b - first]) for b in shaping}
    given = tuple((name, _comparable(value)) for name, value in sorted(options.items()) if value is not None)
    made_of = None if hessian is None else (hessian.triangle, hessian.program.digest)
    schedule, lowered = structure.lowered.schedule, structure.lowered
    key = (*key, digest(known), made_of, *given)
    engine = _kept(
        _ENGINES,
        key,
        lambda: Engine(
            schedule, EngineOptions(known=known, changing=first, lowered=lowered, hessian=hessian, **options)
        ),
    )
    _trim(key, engine)
    return engine


def _comparable(value: Any) -> Any:
    """An option as a part of a key: colors that the user gave by their content."""
    if isinstance(value, str | Pattern):
        return value
    if isinstance(value, COLORING.Coloring):
        return value.problem, value.colors.tobytes()
    colors = np.asarray(value)
    return colors.dtype.str, colors.shape, colors.tobytes()


def _trim(key: tuple[object, ...], used: Engine) -> None:
    """Let engines go until the others fit into `MEMORY`; none, if the last one is used again and has not grown."""
    global _noted
    now = key, used.bytes
    if now == _noted:
        return
    _noted = now
    with _LOCK:
        total = sum(engine.bytes for engine in _ENGINES.values())
        while total > MEMORY and len(_ENGINES) > 1:
            _, oldest = _ENGINES.popitem(last=False)
            total -= oldest.bytes


def clear() -> None:
    """Forget all engines."""
    global _noted
    _noted = None
    with _LOCK:
        _ENGINES.clear()
        _STRUCTURES.clear()


def _written_out(program: Program) -> Program:
    """The Program without calls that a derivative passes through."""
    return EXPLICIT.explicit(program) if has_active_calls(program) else program


def _lower(program: Program, *, roll: bool, values_only: bool) -> _Structure:
    with remembering():
        written = program if values_only else _written_out(program)
        lowered = lower(in_pieces(written, values_only=values_only), roll=roll, values_only=values_only)
        if roll and not values_only and _are_aside(lowered.schedule):
            flat = lower(in_pieces(written))
            lowered = flat if len(flat.schedule.launches) <= MOST_LAUNCHES else lowered
    if not lowered.schedule.calls:  # what these stand for may be told by places in this process's memory
        follows(lowered.schedule, "lowered", program.digest, roll, values_only)
    return _Structure(lowered, relevant_inputs(lowered.schedule))


def _are_aside(schedule: Schedule) -> bool:
    """Whether loops are little of what is done: strategies that do not go through them may be better for the rest."""
    inside = sum(launch.points for launch in schedule.launches if launch.loop)
    return 0 < _ASIDE * inside < sum(launch.points for launch in schedule.launches)


def _kept(cache: OrderedDict[tuple[object, ...], T], key: tuple[object, ...], make: Callable[[], T]) -> T:
    """Look up or make; threads that make the same thing at the same time end up with one of them."""
    with _LOCK:
        known = cache.get(key)
        if known is not None:
            cache.move_to_end(key)
            return known
    made = make()
    with _LOCK:
        known = cache.setdefault(key, made)
        while len(cache) > CAPACITY:
            cache.popitem(last=False)
    return known
