"""What is told where a Jacobian has no inverse: the call, the numbers at fault with their lines of f, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsejac.errors import InputError, SingularError
from sparsejac.inverse.inverter import Inverter, NarrowError, NotFiniteError
from sparsejac.inverse.liveness import Liveness
from sparsejac.inverse.lumps import walked
from sparsejac.inverse.refinement import BottleneckError
from sparsejac.inverse.selection import StructurallySingularError
from sparsejac.inverse.stages import LumpError
from sparsejac.location import Site, definition_of, line_of
from sparsejac.reports.dependence import name_of
from sparsejac.reports.elements import label_of
from sparsejac.structure import Structure

_SHOWN = 4
_DAMPED = "newton_step(..., damping=...) gives a regularised step whatever the rank is"


def not_square(call: str, f: Callable[..., Any], rows: int, columns: int) -> InputError:
    """There are more results than unknowns, or fewer."""
    return InputError(
        f"{call}: the Jacobian of f has shape ({rows}, {columns}), and only a square one has an inverse; "
        f"pseudo-inverses of the steps of f do not compose\n  {definition_of(f)}\n  Cure: solve the "
        "least-squares problem: scipy.sparse.linalg.lsmr(jacobian_operator(f, x), v), or cg with "
        "gauss_newton_operator(f, x)."
    )


@dataclass(frozen=True, eq=False)
class Teller:
    """Names numbers of one f.

    Parameters
    ----------
    call : str
        The public call.
    f : callable
    inputs, result : Leaf or Branch
        How the arrays of x and of the result belong together.
    sites : tuple of Site
        The place in f of each node of its Program: equal Programs of other functions share what is found out.
    """

    call: str
    f: Callable[..., Any]
    inputs: Structure
    result: Structure
    sites: tuple[Site, ...] = ()

    def not_square(self, rows: int, columns: int) -> InputError:
        """There are more results than unknowns, or fewer."""
        return not_square(self.call, self.f, rows, columns)

    def singular(self, error: NarrowError | StructurallySingularError | BottleneckError) -> SingularError:
        """J is singular, whatever its numbers are."""
        if isinstance(error, NarrowError):
            return self.narrow(error)
        return self.structural(error) if isinstance(error, StructurallySingularError) else self.bottleneck(error)

    def bottleneck(self, error: BottleneckError) -> SingularError:
        """There is a bottleneck over several times."""
        liveness, network = error.liveness, error.bottleneck.network
        few = error.bottleneck.numbers
        named = [
            self._named(liveness, int(network.buffers[k]), int(network.places[k])) for k in few[: _SHOWN + 1].tolist()
        ]
        return self._singular(
            f"a bottleneck: {network.used} numbers that a part of f uses up act through {len(few)} others alone: "
            f"{_listed(name for name, _ in named)}",
            *dict.fromkeys(line for _, line in named if line),
        )

    def narrow(self, error: NarrowError) -> SingularError:
        """There is a bottleneck."""
        liveness, size = error.liveness, liveness_size(error.liveness)
        schedule = liveness.schedule
        if error.time < 0:
            last = liveness.last[schedule.x]
            dead = np.arange(size) if isinstance(last, int) else np.flatnonzero(last < 0)
            names = _listed(label_of("x", self.inputs, int(k)) for k in dead[: _SHOWN + 1])
            return self._singular(f"the result does not depend on {names}", definition_of(self.f))
        if error.time >= liveness.births[schedule.output]:
            alive = set(liveness.alive_after(schedule.output, liveness.end - 1).tolist())
            lost = [k for k in range(size) if k not in alive]
            names = _listed(label_of("output", self.result, k) for k in lost[: _SHOWN + 1])
            verb = "depends" if len(lost) == 1 else "depend"
            return self._singular(f"{names} {verb} on no unknown", definition_of(self.f))
        line = line_of(self._sites(liveness)[error.time])
        return self._singular(
            f"a bottleneck: behind this line all that the {size} results still depend on is {error.width} "
            f"number{'s' if error.width != 1 else ''}, computed from {size} unknowns",
            str(line or definition_of(self.f)),
        )

    def structural(self, error: StructurallySingularError) -> SingularError:
        """A lump has no matching."""
        liveness, lump, unmatched = error.liveness, error.lump, error.unmatched
        _, states = walked(liveness, [time for time in error.times if time < lump.stop])
        holder = {
            int(slot): (buffer, int(place))
            for buffer, (places, slots) in states[-1].items()
            for place, slot in zip(places, slots, strict=True)
        }
        made = list(self._made(liveness, lump.fresh, unmatched.rows[: _SHOWN + 1]))
        used = [self._named(liveness, *holder[int(lump.slots[c])]) for c in unmatched.columns[: _SHOWN + 1]]
        return self._singular(
            f"{len(unmatched.rows)} of {lump.size} numbers that a part of f makes cannot be matched with as many that "
            f"it uses up. Without a partner are {_listed(name for name, _ in made)}, and {_listed(n for n, _ in used)}",
            *dict.fromkeys(line for _, line in (*made, *used) if line),
        )

    def numerical(self, error: LumpError, inverter: Inverter, made: Any) -> SingularError:
        """A lump is singular at this x."""
        stage, reason = error.stage, error.reason
        ((name, line),) = self._made(inverter.liveness, stage.lump.fresh, [reason.row])
        value = float(made[stage.row + reason.row])
        condition = "infinite" if not np.isfinite(reason.condition) else f"{reason.condition:.1e}"
        return self._singular(
            f"at this x, to rounding: the derivative of {name} (here {value:.6g}) is zero, or a combination of those "
            f"of other numbers; estimated condition {condition}, in a part of f with {stage.lump.size} unknowns",
            line or definition_of(self.f),
        )

    def undetermined(self, call: str) -> SingularError:
        """A regularised step that rounding decides on."""
        return SingularError(
            f"{call}: the damped step is not determined at this x, to rounding: the Jacobian of f is singular in "
            f"directions that are not damped, or hardly\n  {definition_of(self.f)}\n  Cure: damp all unknowns, or damp "
            "them more."
        )

    def not_finite(self, error: NotFiniteError, inverter: Inverter) -> SingularError:
        """A partial derivative is no number."""
        row = error.row
        for lump in inverter.chain.lumps:
            if row < lump.size:
                break
            row -= lump.size
        ((name, line),) = self._made(inverter.liveness, lump.fresh, [row])
        return SingularError(
            f"{self.call}: a partial derivative of {name} (here {error.value:.6g}) is infinite or NaN at "
            f"this x\n  {line or definition_of(self.f)}\n  Cure: move x away from the pole or kink."
        )

    def _made(self, liveness: Liveness, fresh: Any, rows: Iterable[int]) -> Iterable[tuple[str, str]]:
        """Names of numbers that a lump makes, with their lines."""
        buffers = [(buffer, int(place)) for buffer, places in fresh for place in places]
        return (self._named(liveness, *buffers[int(row)]) for row in rows)

    def _named(self, liveness: Liveness, buffer: int, place: int) -> tuple[str, str]:
        schedule = liveness.schedule
        if buffer == schedule.x:
            return label_of("x", self.inputs, place), ""
        sites = self._sites(liveness)
        node = liveness.program.nodes[liveness.births[buffer]]
        site = sites[liveness.births[buffer]]
        piece = next((p for p in node.pieces if (np.asarray(p.store.table()) == place).any()), None)
        source, number = node, place
        if piece is not None:  # what was put there is told of, not the putting
            at = int(np.flatnonzero(np.asarray(piece.store.table()) == place)[0])
            source, number = piece.load.node, int(piece.load.address.table()[at])
            times = {n.index: t for t, n in enumerate(liveness.program.nodes)}
            site = sites[times[source.index]] if source.kind not in ("input", "constant") else site
        line = line_of(site)
        if buffer == schedule.output:
            return label_of("output", self.result, place), str(line or "")
        return f"{name_of(source) or 'x'}[{number}]", str(line or "")

    def _sites(self, liveness: Liveness) -> tuple[Site, ...]:
        """The places of the nodes of a Program in this f."""
        own = liveness.program.sites
        return self.sites if len(self.sites) == len(own) else own

    def _singular(self, what: str, *lines: str) -> SingularError:
        places = "".join(f"\n  {line}" for line in lines)
        return SingularError(
            f"{self.call}: the Jacobian of f is singular: {what}{places}\n  Cure: make f invertible there; {_DAMPED}."
        )


def liveness_size(liveness: Liveness) -> int:
    """How many unknowns there are."""
    return liveness.schedule.sizes[liveness.schedule.x]


def _listed(names: Iterable[str]) -> str:
    known = list(dict.fromkeys(names))
    return ", ".join([*known[:_SHOWN], *(["..."] if len(known) > _SHOWN else [])])
