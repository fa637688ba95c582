"""Orders in which to eliminate the cuts of a graph of vectors, compared by exact counts of multiplications.

To eliminate a vertex is to add, for each pair of an edge into it and an edge out of it, the product of both matrices
to the edge that leads past it. Once all cuts are gone, the edge from x to the output is the Jacobian. Every order gives
the same one, for another number of multiplications; to find the least is NP-complete (Naumann 2008). Elimination of
single edges and of faces, which can be cheaper still (Naumann 2004), is not done here.

Only structure is looked at. Factors that are all ones cost nothing, and neither do products that do not depend on x.

References
----------
Bauer: Computational graphs and rounding error, SIAM Journal on Numerical Analysis 11, 1974. Griewank and Walther:
Evaluating Derivatives, 2nd edition, 2008, chapters 9 and 10. Markowitz: The elimination form of the inverse and its
application to linear programming, Management Science 3, 1957. Naumann: Optimal accumulation of Jacobian matrices by
elimination methods on the dual computational graph, Mathematical Programming 99, 2004; Optimal Jacobian accumulation is
NP-complete, Mathematical Programming 112, 2008.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Literal

from sparsejac.elimination.blocks import BlockGraph, prune
from sparsejac.elimination.counting import Elimination

OrderName = Literal["forward", "reverse", "hoisted", "greedy", "growth"]

SEARCHED_CUTS = 5
"""Up to so many cuts all orders are searched: there are 32 sets of what is gone."""

SEARCH_WORK = 100_000
"""Pairs of entries that a search may look at, beside four times those of the order that it starts from."""

GROWTH_WORK = 200_000
"""Cuts times entries up to which ``"growth"`` is tried."""


@dataclass(frozen=True)
class Order:
    """An order of elimination with what it costs.

    Parameters
    ----------
    name : str
        The rule that found it.
    cuts : tuple of int
        The vertices in the order in which they are eliminated.
    multiplications : int
        For one Jacobian.
    terms : int
        What is read for one Jacobian: products and single numbers that are summed or gathered.
    fill : int
        Entries of matrices between other vertices than x and the output that come up where there was none.
    """

    name: str
    cuts: tuple[int, ...]
    multiplications: int
    terms: int
    fill: int

    @property
    def work(self) -> int:
        """What orders are compared by: multiplications and terms."""
        return self.multiplications + self.terms


def count(graph: BlockGraph, cuts: Iterable[int], name: str = "given") -> Order:
    """Count what an order costs.

    Raises
    ------
    ValueError
        Where `cuts` are not the cuts of the graph, each once.

    Examples
    --------
    A scalar between three unknowns and two results; each path is one multiplication:

    >>> import numpy as np
    >>> from sparsejac.elimination.blocks import LocalJacobian
    >>> first = LocalJacobian(1, 0, np.zeros(3, dtype=int), np.arange(3), np.arange(3))
    >>> second = LocalJacobian(2, 1, np.arange(2), np.zeros(2, dtype=int), np.arange(3, 5))
    >>> count(BlockGraph((3, 1, 2), (first, second), 5), [1])
    Order(name='given', cuts=(1,), multiplications=6, terms=6, fill=0)
    """
    cuts = tuple(cuts)
    if sorted(cuts) != list(graph.cuts):
        raise ValueError(f"count: the order {cuts} does not hold each of the cuts {list(graph.cuts)} once")
    state = Elimination(prune(graph))
    for vertex in cuts:
        state.eliminate(vertex)
    return _order(name, cuts, state)


def find_order(graph: BlockGraph, name: OrderName) -> Order:
    """Find the order of one rule of `RULES`.

    Parameters
    ----------
    graph : BlockGraph
    name : str
        - ``"forward"``, ``"reverse"``: as the vectors are computed; the other way round.
        - ``"greedy"``: next the cut that takes the fewest multiplications for each entry that goes with it. (With the
          fewest multiplications, as Markowitz does, narrow vectors would go first, and all that is wide be multiplied
          past them.)
        - ``"hoisted"``: first the cuts with one edge into them or one out of them, where nothing grows by it; then as
          ``"greedy"``.
        - ``"growth"``: next the cut that brings the fewest new entries of later factors for each one that goes with it.

    Examples
    --------
    The chain of dense matrices in Cormen et al., Introduction to Algorithms, section on matrix chains: at best 15,125.

    >>> import numpy as np
    >>> from sparsejac.elimination.blocks import LocalJacobian
    >>> sizes = (25, 20, 10, 5, 15, 35, 30)
    >>> dense = [np.indices((sizes[k + 1], sizes[k])).reshape(2, -1) for k in range(6)]
    >>> graph = BlockGraph(sizes, tuple(LocalJacobian(k + 1, k, *dense[k], dense[k][0]) for k in range(6)), 35)
    >>> [(name, find_order(graph, name).multiplications) for name in RULES]
    [('greedy', 15125), ('hoisted', 15125), ('forward', 47500), ('reverse', 40500), ('growth', 28000)]
    """
    order = _follow(Elimination(prune(graph)), name)
    assert order is not None
    return order


def cheapest(graph: BlockGraph) -> Order:
    """Find the order with the least work: among those of the rules, and for few cuts among all orders.

    The first one of equals. An order is left as soon as it has cost as much as the best one before it.

    Examples
    --------
    An hourglass of lengths 9, 9, 1, 9, 9 is eliminated from both ends, for 3 * 9**2 in the place of 9**3 + 2 * 9**2:

    >>> import numpy as np
    >>> from sparsejac.elimination.blocks import LocalJacobian
    >>> sizes = (9, 9, 1, 9, 9)
    >>> dense = [np.indices((sizes[k + 1], sizes[k])).reshape(2, -1) for k in range(4)]
    >>> graph = BlockGraph(sizes, tuple(LocalJacobian(k + 1, k, *dense[k], dense[k][0]) for k in range(4)), 9)
    >>> cheapest(graph)
    Order(name='greedy', cuts=(1, 3, 2), multiplications=243, terms=243, fill=18)
    >>> find_order(graph, "forward").multiplications
    891
    """
    start = Elimination(prune(graph))
    best: Order | None = None
    for name in _worthwhile(start):
        best = _follow(start.copy(), name, best) or best
    assert best is not None
    return _search(start, best) if 3 <= len(start.cuts) <= SEARCHED_CUTS else best


def _worthwhile(state: Elimination) -> list[OrderName]:
    """The rules to try; ``"growth"`` multiplies all patterns that it compares, and is for small graphs only."""
    names: list[OrderName] = list(RULES)
    if len(state.cuts) < 2:  # there is but one order
        return names[:1]
    entries = sum(edge.nnz for edges in state.into.values() for edge in edges.values())
    return [name for name in names if name != "growth" or len(state.cuts) * entries <= GROWTH_WORK]


def _order(name: str, cuts: Iterable[int], state: Elimination) -> Order:
    return Order(name, tuple(cuts), state.multiplications, state.multiplications + state.singles, state.fill)


Rule = Callable[[Elimination, int], Any]
"""What to compare cuts by: the least one goes next."""


def _forward(state: Elimination, vertex: int) -> int:
    return vertex


def _reverse(state: Elimination, vertex: int) -> int:
    return -vertex


def _greedy(state: Elimination, vertex: int) -> float:
    return state.cost(vertex) / max(state.going(vertex), 1)


def _hoisted(state: Elimination, vertex: int) -> tuple[bool, float]:
    single = min(len(state.into[vertex]), len(state.out_of[vertex])) <= 1
    if single and state.pairs(vertex) <= state.going(vertex):
        return False, 0.0
    return True, _greedy(state, vertex)


def _growth(state: Elimination, vertex: int) -> tuple[float, int]:
    return state.coming(vertex) / max(state.going(vertex), 1), state.cost(vertex)


RULES: dict[OrderName, Rule] = {
    "greedy": _greedy,
    "hoisted": _hoisted,
    "forward": _forward,
    "reverse": _reverse,
    "growth": _growth,
}
"""Those that are often the best come first, so that the others are soon left."""


def _follow(state: Elimination, name: OrderName, best: Order | None = None) -> Order | None:
    """Eliminate all cuts by a rule; None as soon as that is no better than `best`."""
    rule, cuts = RULES[name], []
    keys = {vertex: rule(state, vertex) for vertex in state.cuts}
    heap = [(key, vertex) for vertex, key in keys.items()]
    heapify(heap)
    while state.cuts:
        key, vertex = heappop(heap)
        if vertex not in state.cuts or key != keys[vertex]:  # it has gone, or stands elsewhere by now
            continue
        cuts.append(vertex)
        for other in state.eliminate(vertex):
            keys[other] = rule(state, other)
            heappush(heap, (keys[other], other))
        if best is not None and state.work >= best.work:
            return None
    return _order(name, cuts, state)


def _search(start: Elimination, best: Order) -> Order:
    """Look for a better order among all, the cheapest beginnings first.

    What is left once some cuts are gone does not depend on their order, so that of each set one beginning is followed.
    (Dijkstra: A note on two problems in connexion with graphs, Numerische Mathematik 1, 1959.)
    """
    heap: list[tuple[int, tuple[int, ...], Elimination]] = [(start.work, (), start)]
    seen: set[frozenset[int]] = set()
    budget = 4 * best.work + SEARCH_WORK
    while heap and budget > 0:
        work, cuts, state = heappop(heap)
        if not state.cuts:
            return _order("searched", cuts, state)
        if frozenset(cuts) in seen:
            continue
        seen.add(frozenset(cuts))
        for vertex in sorted(state.cuts):
            if work + 2 * state.cost(vertex) < best.work and frozenset({*cuts, vertex}) not in seen:
                budget -= state.pairs(vertex)
                after = state.copy()
                after.eliminate(vertex)
                if after.work < best.work:
                    heappush(heap, (after.work, (*cuts, vertex), after))
    return best
