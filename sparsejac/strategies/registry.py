"""The one table of strategies: what people and the cost model know of each, and the file that prepares it.

A new strategy is a file beside this one and a line here. The files are loaded when one of their strategies is taken.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kernels.lazy import Lazy
from kernels.step import Schedule
from sparsejac.patterns.pattern import Pattern
from sparsejac.patterns.sparsity import Live
from sparsejac.strategies.cost import NO_SEEDS, Facts, Seeds, predict_identity, predict_seeded
from sparsejac.strategies.elimination import ELIMINATION
from sparsejac.strategies.protocol import Prepare, Prepared, ProgramStrategy, Strategy

if TYPE_CHECKING:
    from coloring import Coloring


def _in_file(name: str) -> Prepare:
    """The function `prepare` of a file of this folder."""
    file = Lazy(f"sparsejac.strategies.{name}")

    def prepare(schedule: Schedule, pattern: Pattern, coloring: Coloring | None, live: Live | None = None) -> Prepared:
        prepared: Prepared = file.prepare(schedule, pattern, coloring, live)
        return prepared

    return prepare


def _fewest_forward(facts: Facts) -> Seeds:
    return Seeds(forward=facts.fullest_row)


def _fewest_reverse(facts: Facts) -> Seeds:
    return Seeds(reverse=facts.fullest_column)


def _fewest_two_sided(facts: Facts) -> Seeds:
    return facts.two_sided


def _none(facts: Facts) -> Seeds:
    return NO_SEEDS


FORWARD = Strategy(
    "forward",
    "column coloring, tangents pushed forward",
    "column",
    partial(predict_seeded, "forward"),
    _fewest_forward,
    _in_file("forward"),
)
REVERSE = Strategy(
    "reverse",
    "row coloring, adjoints pulled back",
    "row",
    partial(predict_seeded, "reverse"),
    _fewest_reverse,
    _in_file("reverse"),
)
BIDIRECTIONAL = Strategy(
    "bidirectional",
    "coloring of rows and columns at once, tangents and adjoints",
    "star_bicoloring",
    partial(predict_seeded, "bidirectional"),
    _fewest_two_sided,
    _in_file("bidirectional"),
)
IDENTITY = Strategy(
    "identity",
    "identity seeds, sparse products launch by launch",
    None,
    predict_identity,
    _none,
    _in_file("identity"),
)

STRATEGIES: dict[str, Strategy | ProgramStrategy] = {
    strategy.name: strategy for strategy in (FORWARD, REVERSE, BIDIRECTIONAL, IDENTITY, ELIMINATION)
}
