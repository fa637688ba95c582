"""The decisions of f in a reader's terms: what was compared, in which line, and how it came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparsejac.location import NOWHERE, CodeLine, Site, line_of
from sparsejac.programs.program import Decision, Node, Program
from sparsejac.reports.dependence import name_of

_TRUTHS = frozenset(
    (
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "signbit"),
        *("logical_and", "logical_or", "logical_xor", "logical_not", "isnan", "isinf", "isfinite"),
    )
)
_SHOWN = 4


@dataclass(frozen=True)
class Guard:
    """Values of one operation that chose the way through f at one line.

    Parameters
    ----------
    operation : str
        What gave the values, in NumPy's words.
    count : int
        How many values.
    outcome : str
        What they were: "true", "3 of 5 true", "2".
    line : CodeLine, optional
        The line of f that asked for them.
    """

    operation: str
    count: int
    outcome: str
    line: CodeLine | None

    def __str__(self) -> str:
        """Write what was asked, where, and how it came out."""
        values = "" if self.count == 1 else f", {self.count} values"
        told = f"{self.operation}{values}: {self.outcome}"
        return "\n".join([told, *(f"  {text}" for text in str(self.line).split("\n"))]) if self.line else told


def guards_of(program: Program) -> tuple[Guard, ...]:
    """What chose the way through f, line by line: decisions on arrays first, then those on single numbers."""
    found: dict[tuple[str, bool, CodeLine | None], list[float]] = {}
    lines: dict[tuple[int, int], CodeLine | None] = {}
    asked: set[tuple[int, CodeLine | None]] = set()
    for decision in program.decisions:
        for node, site, values in _questions(decision):
            code, offset = site
            if (id(code), offset) not in lines:
                lines[id(code), offset] = line_of(site)
            line = lines[id(code), offset]
            if (decision.node.index, line) in asked and len(decision.sites) == 1:
                continue  # a mask that is read and written through
            asked.add((decision.node.index, line))
            key = name_of(node) or node.kind, _is_truth(node), line
            found.setdefault(key, []).extend(values.tolist())
    return tuple(
        Guard(name, len(values), _outcome(np.array(values), truth), line)
        for (name, truth, line), values in found.items()
    )


def _questions(decision: Decision) -> Iterator[tuple[Node, Site, npt.NDArray[np.float64]]]:
    """Nodes that gave the values of a decision, with the places that asked for them."""
    expected, sites = decision.expected.reshape(-1), decision.sites or (NOWHERE,)
    if len(sites) != len(expected):
        yield _source(decision.node), sites[0], expected
        return
    sources = [decision.node] * len(expected)
    for piece in decision.node.pieces:
        for place in piece.store.table().tolist():
            sources[place] = piece.load.node
    for place, site in enumerate(sites):
        yield _source(sources[place]), site, expected[place : place + 1]


def _source(node: Node) -> Node:
    """What a copy was made of."""
    while node.primitive is not None and node.primitive.name == "copy":
        node = node.loads[0].node
    return node


def _is_truth(node: Node) -> bool:
    return node.primitive is not None and node.primitive.name in _TRUTHS


def _outcome(values: npt.NDArray[np.float64], truth: bool) -> str:
    if not truth:
        shown = ", ".join(f"{value:.6g}" for value in values[:_SHOWN])
        return f"{shown}{' ...' if len(values) > _SHOWN else ''}"
    held = int(np.count_nonzero(values))
    if held in (0, len(values)):
        return f"{'all ' if len(values) > 1 else ''}{'true' if held else 'false'}"
    return f"{held} of {len(values)} true"
