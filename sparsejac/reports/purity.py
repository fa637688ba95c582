"""Does f do the same at each call? It is followed twice, and the two are compared."""

from __future__ import annotations

import warnings
from itertools import zip_longest

import numpy as np

from sparsejac.bits import same_bits
from sparsejac.errors import PurityWarning
from sparsejac.location import line_of, user_stacklevel
from sparsejac.programs.program import Node, Program
from sparsejac.signature import Bound
from sparsejac.tracing import Traced


def check_purity(bound: Bound, first: Traced) -> None:
    """Follow a call of f once more and warn if that gives something else.

    Parameters
    ----------
    bound : Bound
        The call.
    first : Traced
        What it gave at first.
    """
    found = _difference_now(bound, first)
    if found is not None:
        warnings.warn(
            f"{bound.signature.call}: f did not do the same when it was followed a second time at the same x: {found}\n"
            "  The plan keeps what f read at its first run (a random generator, a clock, a file, a counter) as "
            "constants.\n  Cure: read it outside f and pass it as an argument; or use sparse_jacobian, which follows f "
            "at every call.",
            PurityWarning,
            stacklevel=user_stacklevel(),
        )


def check_unchanged(bound: Bound, first: Traced) -> None:
    """Follow the call of a plan's first way once more, now that another way is met, and warn if it reads other numbers.

    Parameters
    ----------
    bound : Bound
        The call.
    first : Traced
        What it gave when the plan was made.
    """
    found = _difference_now(bound, first)
    if found is not None:
        warnings.warn(
            "plan: f takes another way here and is followed again, but it does not do any more what it did at the x of "
            f"{bound.signature.call}: {found}\n  This way has what f reads now, those that were met before keep what "
            "it read then.\n  Cure: pass what changes as an argument, or make another plan.",
            PurityWarning,
            stacklevel=user_stacklevel(),
        )


def _difference_now(bound: Bound, first: Traced) -> str | None:
    try:
        return _difference(first, bound.trace())
    except Exception as error:  # whatever f raises, it did not do so at its first call
        return f"the second run raised {type(error).__name__}: {str(error).strip()}"


def _difference(first: Traced, second: Traced) -> str | None:
    """What is different, in words; None if nothing is."""
    if first.program.digest != second.program.digest:
        return f"it took another way\n  {_first_other_line(first.program, second.program)}"
    # A class that f defines is another one in each run, with the same text; an equal key may have another text.
    if first.result != second.result and repr(first.result) != repr(second.result):
        return f"its result has the structure {first.result} and then {second.result}"
    for slot, one, other in zip(first.program.constants, first.constants, second.constants, strict=True):
        if same_bits(one, other):
            continue
        changed = (one != other) & ~(np.isnan(one) & np.isnan(other))
        if changed.any():
            place = int(np.argmax(changed))
            node = next(n for n in first.program.nodes if n.kind == "constant" and n.slot == slot)
            numbers = f"{one[place]:.6g} and then {other[place]:.6g}"
            return f"a number that it read was {numbers}\n  {_line_of_reader(first.program, node)}"
    return None


def _first_other_line(first: Program, second: Program) -> str:
    """The line of the first node in which two programs differ."""
    for number, (one, other) in enumerate(zip_longest(first.nodes, second.nodes)):
        if one is None or other is None or repr(one) != repr(other):
            longer = first if one is not None else second
            return _line(longer, number)
    return "<unknown place>"


def _line_of_reader(program: Program, constant: Node) -> str:
    """The line where a constant was first used."""
    for number, node in enumerate(program.nodes):
        if node is constant or any(load.node is constant for load in node.operands()):
            line = _line(program, number)
            if line != "<unknown place>":
                return line
    return "<unknown place>"


def _line(program: Program, number: int) -> str:
    line = line_of(program.sites[number]) if program.sites else None
    return "<unknown place>" if line is None else str(line)
