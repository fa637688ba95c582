"""The tape of scalars: what Python loops over single numbers do, re-rolled into vector nodes.

Each operation on a traced scalar is a row of a few columns, no object. When vectors need the scalars, the rows written
since the last time are grouped: rows of one level of dependency, one place in the user's code, one operation and
operands from the same sources become one elementwise node whose addresses say which operands belong together. Ten
thousand turns of a loop thus become the few nodes that the vectorised statement would have given.

Larsen & Amarasinghe, Exploiting superword level parallelism with multimedia instruction sets, PLDI 2000, pack
isomorphic statements in the same spirit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Affine
from kernels.records import dataclass
from sparsejac.addressing import contiguous, reboxed, recognised
from sparsejac.location import Site, offset_in_call, user_site
from sparsejac.primitives import PRIMITIVES
from sparsejac.program import Graph, Load, Node, Piece

_NAMES = tuple(PRIMITIVES)
CODES = {name: code for code, name in enumerate(_NAMES)}
_ARITIES = np.array([len(PRIMITIVES[name].partials) for name in _NAMES])
_ELEMENT = -1
_CONSTANT = -2
_CHAIN = -3
_ABSORBED = -4
_ADD = CODES["add"]
_SHORTEST_CHAIN = 8
_FEW = 16
_DEEP = 32
"""Levels from which single constants of a segment are put into one vector: a deep chain has nothing but these."""

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
        self._rolled = 0
        # Where rolled rows went: node (or _CONSTANT) and the place in it.
        self._node_of = np.empty(0, dtype=np.int64)
        self._place_of = np.empty(0, dtype=np.int64)
        # Terms of the sums that absorbed a row, for rows that someone asks for later all the same.
        self._absorbed: dict[int, Ints] = {}
        # The vector of all constants, with its first place and step, while a deep segment is rolled.
        self._pool: tuple[Node, int, int] | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self._depths)

    def element(self, node: int, place: int) -> int:
        """The scalar at `place` of the node with this index."""
        return self._leaf(_ELEMENT, node, place)

    def elements(self, node: int, start: int, stop: int) -> int:
        """The first of the scalars, one behind the other, at the places ``start ... stop - 1`` of a node."""
        leaves = np.zeros((stop - start, 5), dtype=np.int64)
        leaves[:, 0], leaves[:, 1], leaves[:, 2] = _ELEMENT, node, np.arange(start, stop)
        self._rows.frombytes(leaves.tobytes())
        self._depths.frombytes(bytes(8 * (stop - start)))
        return self.count - (stop - start)

    def constant(self, number: float) -> int:
        """A number as a scalar; the same one if it came lately."""
        row = self._rows_of_constants.get(number)
        if row is None:
            self.constants.append(number)
            row = self._leaf(_CONSTANT, len(self.constants) - 1, 0)
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
        first, second, third = (*operands, 0, 0)[:3]
        self._rows.fromlist([code, first, second, third, number])
        self._depths.append(1 + max([self._depths[o] for o in operands]))
        return self.count - 1

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
        self._roll()
        self._restore(scalars)
        nodes, places = self._node_of[scalars], self._place_of[scalars]
        constant = nodes == _CONSTANT
        if constant.any():
            node, start, step = self._constant_node(np.array([self.constants[p] for p in places[constant]]))
            nodes[constant] = node.index
            places[constant] = start + step * np.arange(int(constant.sum()))
        return nodes, places

    def place(self, scalar: int) -> tuple[Node, int]:
        """The node that holds a scalar and its place there; a constant becomes a node."""
        self._roll()
        return self._place_of_one(scalar)

    def pieces(self, scalars: Ints, places: Ints) -> tuple[Piece, ...]:
        """Scalars to be put at `places` of a vector, as pieces of a join."""
        if len(scalars) == 1:
            node, place = self.place(int(scalars[0]))
            return (Piece(_single(int(places[0])), Load(node, _single(place))),)
        nodes, sources = self.located(scalars)
        order = np.lexsort((places, nodes))
        bounds = [0, *(np.flatnonzero(np.diff(nodes[order])) + 1), len(order)] if len(order) else [0]
        made = []
        for low, high in pairwise(bounds):
            rows = order[low:high]
            load = Load(self.graph.nodes[nodes[rows[0]]], recognised(sources[rows]))
            made.append(Piece(recognised(places[rows]), load))
        return tuple(made)

    def is_born(self, scalar: int) -> bool:
        """Whether a result that is NaN or infinite comes from operands that are not."""
        code, *operands = self._rows[5 * scalar : 5 * scalar + 4]
        before = [self.value(operand) for operand in operands[: _ARITIES[code]]] if code >= 0 else [np.nan]
        return not np.isnan(before).any() and (bool(np.isnan(self.value(scalar))) or bool(np.isfinite(before).all()))

    def is_active(self, scalar: int) -> bool:
        """Whether a scalar depends differentiably on x."""
        waiting, seen = [scalar], {scalar}
        while waiting:
            row = waiting.pop()
            code, *operands = self._rows[5 * row : 5 * row + 4]
            if code == _ELEMENT and self.graph.is_differentiated(self.graph.nodes[operands[0]]):
                return True
            rules = PRIMITIVES[_NAMES[code]].partials if code >= 0 else ()
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
        if code == _ELEMENT:
            return float(self._node_values(self.graph.nodes[first])[second])
        if code == _CONSTANT:
            return self.constants[first]
        primitive = PRIMITIVES[_NAMES[code]]
        operands = (first, second, third)[: len(primitive.partials)]
        return float(primitive.operation.evaluate(*(np.float64(self._values[o]) for o in operands)))

    def _roll(self) -> None:
        """Turn the rows written since the last time into vector nodes."""
        start, stop = self._rolled, self.count
        if start == stop:
            return
        self._rolled = stop
        self._make_room(stop)
        if stop - start <= _FEW and self._roll_one_by_one(start, stop):
            return
        rows = np.array(self._rows[5 * start :], dtype=np.int64).reshape(-1, 5)
        depths = np.array(self._depths[start:], dtype=np.int64)
        code, first, second, third, site = (np.ascontiguousarray(column) for column in rows.T)
        first, second = _carried_first(start, code, site, first, second)
        segment = _Segment(start, code, site, (first, second, third), depths)
        self._place_leaves(segment)
        for operand in segment.operands:
            self._restore(operand[(segment.code >= 0) & (operand < start)])
        chains = segment.chains()
        for head, terms in chains.items():
            self._absorb(segment, head, terms)
        levels = segment.levels(chains)
        if len(levels) >= _DEEP and self.constants:
            self._pool = self._constant_node(np.array(self.constants))
        for rows in levels:
            self._roll_level(segment, rows, chains)
        self._pool = None

    def _make_room(self, count: int) -> None:
        """Lengthen the columns of places, by half at least: a loop may ask for vectors in each of its turns."""
        known = len(self._node_of)
        if count > known:
            more = max(count - known, known // 2)
            self._node_of = np.concatenate([self._node_of, np.full(more, _ABSORBED, dtype=np.int64)])
            self._place_of = np.concatenate([self._place_of, np.zeros(more, dtype=np.int64)])

    def _roll_one_by_one(self, start: int, stop: int) -> bool:
        """As `_roll`, a node for each row, for a few rows where nothing can be grouped; False where it might be."""
        rows = [self._rows[5 * row : 5 * row + 5].tolist() for row in range(start, stop)]
        operations = [(code, site) for code, *_, site in rows if code >= 0]
        if len(set(operations)) < len(operations):
            return False
        for row, (code, *operands, site) in enumerate(rows, start):
            if code == _ELEMENT:
                self._node_of[row], self._place_of[row], _ = operands
            elif code == _CONSTANT:
                self._node_of[row], self._place_of[row] = _CONSTANT, operands[0]
            else:
                self._roll_alone(row, code, operands, site)
        return True

    def _roll_alone(self, row: int, code: int, operands: Sequence[int], site: int) -> None:
        """A node for one row."""
        primitive = PRIMITIVES[_NAMES[code]]
        before, self.graph.site = self.graph.site, self._places[site]
        read = [self._place_of_one(operand) for operand in operands[: len(primitive.partials)]]
        loads = tuple([Load(node, _single(place)) for node, place in read])
        self._node_of[row] = self.graph.map(primitive, (1,), loads).index
        self.graph.site = before

    def _place_leaves(self, segment: _Segment) -> None:
        first, second = segment.operands[:2]
        for code in (_ELEMENT, _CONSTANT):
            rows = np.flatnonzero(segment.code == code)
            self._node_of[segment.start + rows] = first[rows] if code == _ELEMENT else _CONSTANT
            self._place_of[segment.start + rows] = second[rows] if code == _ELEMENT else first[rows]

    def _absorb(self, segment: _Segment, head: int, terms: Ints) -> None:
        """Remember what the inner rows of a chain are, and make its last row a sum."""
        row = head
        for count in range(len(terms) - 1, 1, -1):
            row = int(segment.operands[0][row]) - segment.start
            self._absorbed[segment.start + row] = terms[:count]
        segment.code[head] = _CHAIN

    def _restore(self, scalars: Ints) -> None:
        """Give rows that a sum absorbed a node of their own."""
        absorbed = scalars[self._node_of[scalars] == _ABSORBED]
        for scalar in np.unique(absorbed) if absorbed.size else ():
            self._place(np.array([scalar]), self._sums([self._absorbed[int(scalar)]]))

    def _roll_level(self, segment: _Segment, rows: Ints, chains: dict[int, Ints]) -> None:
        """Group the rows of one level by operation, site and the sources of their operands."""
        if len(rows) == 1:
            row = int(rows[0])
            if segment.code[row] == _CHAIN:
                self._roll_group(segment, rows, chains)
            else:
                operands = [int(column[row]) for column in segment.operands]
                self._roll_alone(segment.start + row, int(segment.code[row]), operands, int(segment.site[row]))
            return
        code = segment.code[rows]
        arity = np.where(code >= 0, _ARITIES[code], 0)
        keys = [code, segment.site[rows]]
        for k, column in enumerate(segment.operands):
            used = k < arity
            keys.append(np.where(used, self._node_of[np.where(used, column[rows], 0)], 0))
        order = np.lexsort(keys[::-1])
        changes = np.zeros(len(rows) - 1, dtype=bool)
        for key in keys:
            changes |= np.diff(key[order]) != 0
        bounds = [0, *(np.flatnonzero(changes) + 1), len(rows)]
        for low, high in pairwise(bounds):
            self._roll_group(segment, rows[order[low:high]], chains)

    def _roll_group(self, segment: _Segment, rows: Ints, chains: dict[int, Ints]) -> None:
        code = int(segment.code[rows[0]])
        before, self.graph.site = self.graph.site, self._places[segment.site[rows[0]]]
        if code == _CHAIN:
            node = self._sums([chains[int(row)] for row in rows])
        else:
            primitive = PRIMITIVES[_NAMES[code]]
            loads = tuple(self._load(column[rows]) for column in segment.operands[: len(primitive.partials)])
            node = self.graph.map(primitive, (len(rows),), loads)
        self.graph.site = before
        self._place(segment.start + rows, node)

    def _sums(self, chains: list[Ints]) -> Node:
        """The sums of several lists of scalars, each in its order."""
        terms = np.concatenate(chains)
        nodes = self._node_of[terms]
        if (nodes == nodes[0]).all():
            load = self._load(terms)
        else:
            pieces = self.pieces(terms, np.arange(len(terms)))
            load = Load(self.graph.join(len(terms), pieces), contiguous((len(terms),)))
        lengths = {len(chain) for chain in chains}
        if len(lengths) == 1:
            box = (len(chains), lengths.pop())
            return self.graph.sum(box, Load(load.node, reboxed(load.address, box)), reduced=1)
        indptr = np.cumsum([0, *map(len, chains)], dtype=np.int64)
        return self.graph.sum((len(terms),), load, indptr=indptr)

    def _load(self, scalars: Ints) -> Load:
        """An operand whose scalars all come from one node (or are all constants)."""
        source = int(self._node_of[scalars[0]])
        places = self._place_of[scalars]
        if source == _CONSTANT and self._pool is not None and len(scalars) == 1:
            node, start, step = self._pool
            return Load(node, _single(start + step * int(places[0])))
        if source == _CONSTANT:
            node, start, step = self._constant_node(np.array([self.constants[p] for p in places]))
            return Load(node, Affine((len(scalars),), start, (step,)))
        address: Address = recognised(places)
        return Load(self.graph.nodes[source], address)

    def _place_of_one(self, scalar: int) -> tuple[Node, int]:
        source = int(self._node_of[scalar])
        if source == _ABSORBED:
            self._restore(np.array([scalar]))
            source = int(self._node_of[scalar])
        place = int(self._place_of[scalar])
        if source == _CONSTANT and self._pool is not None:
            node, start, step = self._pool
            return node, start + step * place
        if source == _CONSTANT:
            node, place, _ = self._constant_node(np.array([self.constants[place]]))
            return node, place
        return self.graph.nodes[source], place

    def _place(self, rows: Ints, node: Node) -> None:
        self._node_of[rows] = node.index
        self._place_of[rows] = np.arange(len(rows))


def _single(place: int) -> Affine:
    return Affine((1,), place, (0,))


def _carried_first(start: int, code: Ints, site: Ints, first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The operands of sums in the order (s, t), for ``s = t + s`` too: what the same place gave before comes first."""

    def is_carried(operand: Ints) -> npt.NDArray[np.bool_]:
        known = (code == _ADD) & (operand >= start)  # the operands of leaves are no rows
        inside = np.where(known, operand - start, 0)
        carried: npt.NDArray[np.bool_] = known & (code[inside] == _ADD) & (site[inside] == site)
        return carried

    swapped = is_carried(second) & ~is_carried(first)
    return np.where(swapped, second, first), np.where(swapped, first, second)


@dataclass(frozen=True)
class _Segment:
    """Rows of the tape that are rolled together; operands are numbered as on the whole tape."""

    start: int
    code: Ints
    site: Ints
    operands: tuple[Ints, ...]
    depths: Ints

    def chains(self) -> dict[int, Ints]:
        """Long sums ``s = s + t`` at one place of the code: for the last row of each its terms."""
        adds = self.code == _ADD
        if adds.sum() < _SHORTEST_CHAIN:
            return {}
        first, second = self.operands[:2]
        before = first - self.start
        linked = adds & (before >= 0)
        inside = np.where(linked, before, 0)
        linked &= adds[inside] & (self.site[inside] == self.site) & (self._uses()[inside] == 1)
        length = np.zeros(len(adds), dtype=np.int64)
        for link in np.flatnonzero(linked):
            length[link] = length[before[link]] + 1
        continued = np.zeros(len(adds), dtype=bool)
        continued[before[linked]] = True
        chains = {}
        for head in np.flatnonzero((length >= _SHORTEST_CHAIN) & ~continued):
            row, terms = int(head), []
            for _ in range(int(length[head])):
                terms.append(int(second[row]))
                row = int(before[row])
            terms += [int(second[row]), int(first[row])]
            chains[int(head)] = np.array(terms[::-1], dtype=np.int64)
        return chains

    def levels(self, chains: dict[int, Ints]) -> list[Ints]:
        """The rows with operations, by level of dependency; rows that a chain absorbed are left out."""
        depth = self._depths_with(chains) if chains else np.where(self.code >= 0, self.depths, 0)
        order = np.argsort(depth, kind="stable")
        ordered = depth[order]
        bounds = [*np.flatnonzero(np.diff(ordered, prepend=0)), len(order)]
        return [order[low:high] for low, high in pairwise(bounds)]

    def _depths_with(self, chains: dict[int, Ints]) -> Ints:
        """Depths of the rows where chains are one operation; 0 for leaves and for rows that a chain absorbed."""
        code, start = self.code.tolist(), self.start
        absorbed = self._absorbed_rows(chains)
        columns = [column.tolist() for column in self.operands]
        level = [0] * len(code)
        for row, operation in enumerate(code):
            if operation >= 0:
                if row in absorbed:
                    continue
                operands = [column[row] for column in columns[: _ARITIES[operation]]]
            elif operation == _CHAIN:
                operands = chains[row].tolist()
            else:
                continue
            level[row] = 1 + max(level[o - start] if o >= start else 0 for o in operands)
        return np.array(level, dtype=np.int64)

    def _absorbed_rows(self, chains: dict[int, Ints]) -> set[int]:
        absorbed = set()
        for head, terms in chains.items():
            row = head
            for _ in range(len(terms) - 2):
                row = int(self.operands[0][row]) - self.start
                absorbed.add(row)
        return absorbed

    def _uses(self) -> Ints:
        """How often each row is an operand of a row of the segment."""
        uses = np.zeros(len(self.code), dtype=np.int64)
        arity = np.where(self.code >= 0, _ARITIES[self.code], 0)
        for k, column in enumerate(self.operands):
            inside = column[(k < arity) & (column >= self.start)] - self.start
            uses += np.bincount(inside, minlength=len(uses))
        return uses
