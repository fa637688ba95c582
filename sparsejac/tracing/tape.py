"""The tape of scalars: what Python loops over single numbers do.

Each operation on a traced scalar is a row of a few columns, no object. When vectors need the scalars, the rows written
since the last time are re-rolled into vector nodes: see `sparsejac.tracing.rerolling`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.lazy import Lazy
from sparsejac.location import Site, offset_in_call, user_site
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.program import Graph, Node, Piece

# Array code writes no rows.
REROLLING = Lazy("sparsejac.tracing.rerolling")

NAMES = tuple(PRIMITIVES)
CODES = {name: code for code, name in enumerate(NAMES)}
ARITIES = np.array([len(PRIMITIVES[name].partials) for name in NAMES])
ELEMENT = -1
CONSTANT = -2
_REMEMBERED = 1000

Ints = npt.NDArray[np.int64]


class ScalarTape:
    """Columns of operations on scalars; a scalar is the number of its row.

    Parameters
    ----------
    graph : Graph
        Where vector nodes are made.
    node_values : callable
        The flat values of a node, for reading elements.
    constant_node : callable
        A node and the address step (0 or 1) for a vector of constants.
    """

    def __init__(
        self,
        graph: Graph,
        node_values: Callable[[Node], npt.NDArray[np.float64]],
        constant_node: Callable[[npt.NDArray[np.float64]], tuple[Node, int, int]],
    ) -> None:
        self.graph = graph
        self._node_values = node_values
        self._constant_node = constant_node
        self.constants: list[float] = []
        self._rows_of_constants: dict[float, int] = {}
        # Rows of (operation, three operands, site), and how deep each row's expression is. They are appended by
        # fromlist, which takes half the time of extend.
        self._rows = array("q")
        self._depths = array("q")
        self._sites: dict[object, int] = {}
        self._places: list[Site] = []
        self._values: list[float] = []
        self._rerolling: Any = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self._depths)

    def element(self, node: int, place: int) -> int:
        """The scalar at `place` of the node with this index."""
        return self._leaf(ELEMENT, node, place)

    def elements(self, node: int, start: int, stop: int) -> int:
        """The first of the scalars, one behind the other, at the places ``start ... stop - 1`` of a node."""
        leaves = np.zeros((stop - start, 5), dtype=np.int64)
        leaves[:, 0], leaves[:, 1], leaves[:, 2] = ELEMENT, node, np.arange(start, stop)
        self._rows.frombytes(leaves.tobytes())
        self._depths.frombytes(bytes(8 * (stop - start)))
        return self.count - (stop - start)

    def constant(self, number: float) -> int:
        """A number as a scalar; the same one if it came lately."""
        row = self._rows_of_constants.get(number)
        if row is None:
            self.constants.append(number)
            row = self._leaf(CONSTANT, len(self.constants) - 1, 0)
            if number:  # 0.0 and -0.0 are one key, but two numbers
                if len(self._rows_of_constants) >= _REMEMBERED:
                    self._rows_of_constants.clear()
                self._rows_of_constants[number] = row
        return row

    def apply(self, name: str, operands: tuple[int, ...], site: object) -> int:
        """A primitive applied to scalars, at a place in the user's code (any hashable)."""
        return self.apply_code(CODES[name], operands, site)

    def apply_code(self, code: int, operands: Sequence[int], site: object) -> int:
        """As `apply`, the primitive given by its code."""
        number = self._sites.get(site)
        if number is None:
            number = self._new_site(site)
        depths = self._depths
        if len(operands) == 1:  # functions, and squares
            self._rows.fromlist([code, operands[0], 0, 0, number])
            depths.append(1 + depths[operands[0]])
        else:
            first, second, third = (*operands, 0, 0)[:3]
            self._rows.fromlist([code, first, second, third, number])
            depths.append(1 + max([depths[o] for o in operands]))
        return len(depths) - 1

    def apply_two(self, code: int, first: int, second: int, site: int) -> int:
        """As `apply` for two operands, an operation by its code and a place by a number: what loops do most."""
        depths = self._depths
        row, left, right = len(depths), depths[first], depths[second]
        depths.append((left if left > right else right) + 1)
        number = self._sites.get(site)
        if number is None:
            number = self._new_site(site)
        self._rows.fromlist([code, first, second, 0, number])
        return row

    def value(self, scalar: int) -> float:
        """The value of a scalar. Rows are evaluated in order, each once, and only when someone asks."""
        values = self._values
        if scalar >= len(values):
            with np.errstate(all="ignore"):
                for row in range(len(values), scalar + 1):
                    values.append(self._evaluate(row))
        return values[scalar]

    def located(self, scalars: Ints) -> tuple[Ints, Ints]:
        """For each scalar the index of the node that holds it and its place there; constants become nodes."""
        found: tuple[Ints, Ints] = self._rerolled().located(scalars)
        return found

    def place(self, scalar: int) -> tuple[Node, int]:
        """The node that holds a scalar and its place there; a constant becomes a node."""
        found: tuple[Node, int] = self._rerolled().place(scalar)
        return found

    def pieces(self, scalars: Ints, places: Ints) -> tuple[Piece, ...]:
        """Scalars to be put at `places` of a vector, as pieces of a join."""
        found: tuple[Piece, ...] = self._rerolled().pieces(scalars, places)
        return found

    def is_born(self, scalar: int) -> bool:
        """Whether a result that is NaN or infinite comes from operands that are not."""
        code, *operands = self._rows[5 * scalar : 5 * scalar + 4]
        before = [self.value(operand) for operand in operands[: ARITIES[code]]] if code >= 0 else [np.nan]
        return not np.isnan(before).any() and (bool(np.isnan(self.value(scalar))) or bool(np.isfinite(before).all()))

    def is_active(self, scalar: int) -> bool:
        """Whether a scalar depends differentiably on x."""
        waiting, seen = [scalar], {scalar}
        while waiting:
            row = waiting.pop()
            code, *operands = self._rows[5 * row : 5 * row + 4]
            if code == ELEMENT and self.graph.is_differentiated(self.graph.nodes[operands[0]]):
                return True
            rules = PRIMITIVES[NAMES[code]].partials if code >= 0 else ()
            further = {operand for operand, rule in zip(operands, rules, strict=False) if rule is not None} - seen
            seen |= further
            waiting.extend(further)
        return False

    def _new_site(self, site: object) -> int:
        """The number of a place that is new; a call that CPython has specialised meanwhile is where it was before."""
        place = user_site()
        moved = offset_in_call(place)
        known = site
        if moved and isinstance(site, int):
            known = site + moved
        elif moved and isinstance(site, tuple):
            known = (site[0] + moved, *site[1:])
        number = self._sites.get(known)
        if number is None:
            number = self._sites[known] = len(self._places)
            self._places.append(place)
        self._sites[site] = number
        return number

    def _leaf(self, code: int, first: int, second: int) -> int:
        self._rows.fromlist([code, first, second, 0, 0])
        self._depths.append(0)
        return self.count - 1

    def _evaluate(self, row: int) -> float:
        code, first, second, third, _ = self._rows[5 * row : 5 * row + 5]
        if code == ELEMENT:
            return float(self._node_values(self.graph.nodes[first])[second])
        if code == CONSTANT:
            return self.constants[first]
        primitive = PRIMITIVES[NAMES[code]]
        operands = (first, second, third)[: len(primitive.partials)]
        return float(primitive.operation.evaluate(*(np.float64(self._values[o]) for o in operands)))

    def _rerolled(self) -> Any:
        """All rows so far as vector nodes: a `Rerolling`."""
        if self._rerolling is None:
            columns = self._rows, self._depths, self.constants, self._places
            self._rerolling = REROLLING.Rerolling(self.graph, *columns, self._constant_node)
        self._rerolling.roll()
        return self._rerolling
