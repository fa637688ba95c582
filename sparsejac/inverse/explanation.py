"""How a Jacobian is inverted, and why so: lumps, widths, forms, and what the cost model predicts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from sparsejac.inverse.inverter import Inverter
from sparsejac.location import CodeLine, line_of

_HEAD = ("lumps", "size", "passing", "entries", "finest", "form")


@dataclass(frozen=True)
class LumpLine:
    """One lump.

    Parameters
    ----------
    size : int
        Unknowns that are solved for.
    passing : int
        Numbers of the state that pass by.
    entries : int
        Of its local Jacobian.
    form : str
        How it is inverted.
    finest : int
        Lumps of the finest chain of which it was merged.
    line : CodeLine, optional
        Where f ends it.
    """

    size: int
    passing: int
    entries: int
    form: str
    finest: int
    line: CodeLine | None


@dataclass(frozen=True)
class InverseExplanation:
    """The chain of lumps in words and numbers; print it.

    Parameters
    ----------
    size : int
        Unknowns.
    narrowest, widest : int
        Numbers that are alive at a time, over the operations of f.
    cuts : int
        Times at which just as many are alive as there are unknowns.
    lumps : tuple of LumpLine
        In the order of f.
    seconds, finest_seconds : float
        Predicted for one linearization and two products: with these lumps, and with the finest chain.
    whole_seconds : float or None
        The same for one lump, that is for J itself; None where a part of it already costs several times as much.
    strategy : str
        How the entries of the lumps are computed.
    setup : float
        Seconds of set-up.
    """

    size: int
    narrowest: int
    widest: int
    cuts: int
    lumps: tuple[LumpLine, ...]
    seconds: float
    finest_seconds: float
    whole_seconds: float | None
    strategy: str
    setup: float

    def __str__(self) -> str:
        """Write a table of lumps, those that are alike in one line, and the predictions."""
        rows: list[tuple[str, ...]] = [_HEAD]
        for _, group in groupby(self.lumps, key=lambda lump: (lump.size, lump.passing, lump.entries, lump.form)):
            alike = list(group)
            one = alike[0]
            finest = sum(lump.finest for lump in alike)
            cells = (len(alike), one.size, one.passing, one.entries, finest)
            rows.append((*map(str, cells), one.form))
        widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
        table = ["  ".join([*(c.rjust(w) for c, w in zip(r[:-1], widths, strict=False)), r[-1]]) for r in rows]
        whole = "many times that" if self.whole_seconds is None else _time(self.whole_seconds)
        return "\n".join(
            [
                f"inverse of a Jacobian {self.size} x {self.size}: {_count(len(self.lumps), 'lump')}; "
                f"{self.narrowest} to {self.widest} numbers are alive at a time, {self.size} of them at "
                f"{_count(self.cuts, 'cut')}",
                *table,
                f"predicted: {_time(self.seconds)}; the finest chain, {_count(self.cuts + 1, 'lump')}: "
                f"{_time(self.finest_seconds)}; one lump, J itself: {whole}",
                f"entries of the lumps by {self.strategy}; set-up {_time(self.setup)}",
            ]
        )


def explain(inverter: Inverter) -> InverseExplanation:
    """Say how a Jacobian is inverted and why so."""
    selection, stages, liveness = inverter.selection, inverter.stages, inverter.liveness
    assert stages is not None
    assert selection is not None
    widths = liveness.widths()[: liveness.births[liveness.schedule.output] + 2]
    indptr = inverter.engine.pattern.indptr
    lumps = tuple(
        LumpLine(
            stage.lump.size,
            inverter.size - stage.lump.size,
            int(indptr[stage.row + stage.lump.size] - indptr[stage.row]),
            stage.form.name,
            stretch.count,
            line_of(liveness.program.sites[stage.lump.stop]),
        )
        for stage, stretch in zip(stages.stages, selection.stretches, strict=True)
    )
    return InverseExplanation(
        inverter.size,
        int(np.min(widths)),
        int(np.max(widths)),
        max(len(selection.finest) - 1, 0),
        lumps,
        selection.seconds,
        selection.finest_seconds,
        selection.whole_seconds,
        inverter.evaluated_by,
        inverter.seconds,
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"
