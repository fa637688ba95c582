"""The lumps of a chain as they are computed with: where their entries stand, which form inverts them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import Chain, Lump
from sparsejac.inverse.matching import Unmatched
from sparsejac.inverse.running_sums import undone
from sparsejac.inverse.selection import StructurallySingularError
from sparsejac.inverse.solvers.band_text import Shape
from sparsejac.inverse.solvers.banded import Banded, places_together
from sparsejac.inverse.solvers.cascade import Cascade, cascade_of, shape_of
from sparsejac.inverse.solvers.choice import choices
from sparsejac.inverse.solvers.differences import Differences
from sparsejac.inverse.solvers.form import Floats, Form, Ints, SingularMatrixError, Square
from sparsejac.inverse.staged import Staged
from sparsejac.patterns.pattern import Pattern

_SPARSE = Lazy("scipy.sparse")
Indices = Ints | slice


@dataclass(frozen=True, eq=False)
class Coupling:
    """How the new numbers of a lump depend on those that pass it by.

    Parameters
    ----------
    entries : array of int
        Their numbers among the entries of all lumps.
    rows, columns : array of int
        The row in the lump, and the slot.
    shape : tuple of int
    """

    entries: Ints
    rows: Ints
    columns: Ints
    shape: tuple[int, int]

    def matrix(self, data: Floats) -> Any:
        """The matrix of these numbers."""
        return _SPARSE.csr_array((data[self.entries], (self.rows, self.columns)), shape=self.shape)


@dataclass(frozen=True, eq=False)
class Stage:
    """A lump, ready to be factorized.

    Parameters
    ----------
    lump : Lump
    row : int
        First row of the lump among those of all.
    slots : array of int or slice
        Those that it replaces; a slice where these are all.
    form : Form
    entries : array of int or slice
        The numbers of the entries of its matrix among those of all lumps.
    coupling : Coupling, optional
    """

    lump: Lump
    row: int
    slots: Indices
    form: Form
    entries: Indices
    coupling: Coupling | None


@dataclass(frozen=True, eq=False)
class Stages:
    """All lumps, and which of them are factorized by one call.

    Parameters
    ----------
    chain : Chain
    stages : tuple of Stage
    cascades : tuple of Cascade
        Lumps that stand next to each other, for compiled code.
    together : tuple of Together
        Banded lumps, for LAPACK.
    beyond : array of int
        Entries of the pattern that lead past a cut: they are known to be zero.
    """

    chain: Chain
    stages: tuple[Stage, ...]
    cascades: tuple[Cascade, ...]
    together: tuple[Together, ...]
    beyond: Ints

    def placed(self, v: Floats) -> Floats:
        """Numbers of the result as those of their slots."""
        state = np.empty_like(v)
        state[self.chain.outputs] = v
        return state


@dataclass(frozen=True, eq=False)
class Together:
    """Lumps of one bandwidth.

    Parameters
    ----------
    numbers : tuple of int
        Of the lumps.
    places : array of int
        Where their entries go.
    in_cascades : bool
        Whether they all stand in cascades.
    """

    numbers: tuple[int, ...]
    places: Ints
    in_cascades: bool


class LumpError(Exception):
    """A lump whose matrix is singular at this x.

    Parameters
    ----------
    stage : Stage
    reason : SingularMatrixError
    """

    def __init__(self, stage: Stage, reason: SingularMatrixError) -> None:
        super().__init__(stage, reason)
        self.stage = stage
        self.reason = reason


def stages_of(liveness: Liveness, chain: Chain, made: Staged, pattern: Pattern) -> Stages:
    """Find for each lump its entries and its form.

    Parameters
    ----------
    liveness : Liveness
    chain : Chain
    made : Staged
        The Program of the chain.
    pattern : Pattern
        Of its Jacobian.

    Raises
    ------
    StructurallySingularError
    """
    slot_of = _slots(chain, made)
    alive = _Alive(chain, made)
    stages, beyond, row = [], [], 0
    forms: dict[object, Form | Unmatched] = {}
    for lump in chain.lumps:
        start, stop = pattern.indptr[row], pattern.indptr[row + lump.size]
        numbers = np.arange(start, stop, dtype=np.int64)
        rows = np.repeat(np.arange(lump.size, dtype=np.int64), np.diff(pattern.indptr[row : row + lump.size + 1]))
        columns = pattern.indices[start:stop].astype(np.int64)
        present = alive.before_next(columns)
        beyond.append(numbers[~present])
        before = undone(liveness, lump)
        stage = _stage(lump, row, numbers[present], rows[present], slot_of[columns[present]], chain.size, forms, before)
        if isinstance(stage, Unmatched):
            times = [-1, *(one.stop for one in chain.lumps)]
            raise StructurallySingularError(liveness, times, lump, stage)
        stages.append(stage)
        row += lump.size
    cascades = tuple(_cascades(stages))
    inside = {k for cascade in cascades for k in range(cascade.start, cascade.stop)}
    together = tuple(_together(stages, inside))
    return Stages(chain, tuple(stages), cascades, together, np.concatenate([np.zeros(0, np.int64), *beyond]))


def _stage(
    lump: Lump,
    row: int,
    numbers: Ints,
    rows: Ints,
    slots: Ints,
    size: int,
    forms: dict[object, Form | Unmatched],
    before: Ints | None,
) -> Stage | Unmatched:
    place = np.full(size, -1, dtype=np.int64)
    place[lump.slots] = np.arange(lump.size)
    columns = place[slots]
    inside = columns >= 0
    square = Square(lump.size, rows[inside], columns[inside])
    found = _form(square, forms, whole=lump.size == size) if before is None else Differences(square, before)
    if isinstance(found, Unmatched):
        return found
    coupling = None
    if not inside.all():
        coupling = Coupling(numbers[~inside], rows[~inside], slots[~inside], (lump.size, size))
    own = slice(None) if lump.size == size else lump.slots
    return Stage(lump, row, own, found, _as_slice(numbers[inside]), coupling)


def _form(pattern: Square, forms: dict[object, Form | Unmatched], *, whole: bool) -> Form | Unmatched:
    """The cheapest form; lumps of one pattern share it."""
    key = pattern.size, whole, blake2b(pattern.rows.data).digest(), blake2b(pattern.columns.data).digest()
    if key not in forms:
        found = choices(pattern, whole=whole)
        forms[key] = found if isinstance(found, Unmatched) else found[0].make()
    return forms[key]


def _as_slice(numbers: Ints) -> Indices:
    """Numbers that follow each other need no copy."""
    if len(numbers) and int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1:
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def _together(stages: Sequence[Stage], inside: Collection[int]) -> Iterator[Together]:
    groups: dict[object, list[int]] = {}
    for k, stage in enumerate(stages):
        if isinstance(stage.form, Banded):
            groups.setdefault((stage.form.key, k in inside), []).append(k)
    for numbers in groups.values():
        forms = [form for k in numbers if isinstance(form := stages[k].form, Banded)]
        yield Together(tuple(numbers), places_together(forms), numbers[0] in inside)


def _cascades(stages: Sequence[Stage]) -> Iterator[Cascade]:
    """Neighbours that are bands of one shape and one order, on the whole state."""
    for key, group in groupby(enumerate(stages), key=lambda one: _kind(one[1])):
        if key is not None:
            numbers, alike = zip(*group, strict=True)
            forms = [stage.form for stage in alike if isinstance(stage.form, Banded)]
            yield cascade_of(numbers[0], forms, key[0], [stage.entries for stage in alike])


def _kind(stage: Stage) -> tuple[Shape, int] | None:
    """Equal for lumps that may stand in one cascade."""
    form = stage.form
    if not isinstance(form, Banded) or not isinstance(stage.slots, slice):
        return None
    shape = shape_of(form)
    return None if shape is None else (shape, id(form.ordering.rows))


def _slots(chain: Chain, made: Staged) -> Ints:
    """The slot of each number of T."""
    found = np.empty(made.size, dtype=np.int64)
    found[: chain.size] = np.arange(chain.size)
    start = chain.size
    for lump in chain.lumps[:-1]:
        found[start : start + lump.size] = lump.slots
        start += lump.size
    return found


class _Alive:
    """Which numbers of T are in the state, as one goes along the lumps."""

    def __init__(self, chain: Chain, made: Staged) -> None:
        self._lumps = iter(chain.lumps)
        self._holder = np.arange(chain.size, dtype=np.int64)  # for each slot the number of T in it
        self._slots = _slots(chain, made)
        self._next = chain.size

    def before_next(self, columns: Ints) -> npt.NDArray[np.bool_]:
        """Whether numbers of T are in the state before the next lump, which is then passed."""
        found: npt.NDArray[np.bool_] = self._holder[self._slots[columns]] == columns
        lump = next(self._lumps)
        self._holder[lump.slots] = np.arange(self._next, self._next + lump.size)
        self._next += lump.size
        return found
