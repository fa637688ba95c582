"""Star colorings of small graphs with k colors: an exhaustive search that learns which vertices are hard to color.

The vertex with fewest colors left for its weight comes next, and a vertex becomes heavier whenever it is left without
any, as does the one whose color did that. The search starts anew after more and more turns, so that hard vertices come
early. How long that takes is a matter of luck: there are several such searches, with other weights at first.

Colors that a vertex cannot take are bits of an integer, and so are those among its neighbours: no path is walked.

References
----------
Boussemart, Hemery, Lecoutre and Sais: Boosting systematic search by weighting constraints, ECAI 2004 (the weights);
Gomes, Selman and Kautz: Boosting combinatorial search through randomization, AAAI 1998 (several searches); Brélaz: New
methods to color the vertices of a graph, Communications of the ACM 22(4), 1979 (saturation).
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from random import Random
from typing import TypeAlias

from coloring.adjacency import AdjacencyGraph

# What was changed: a list, a place in it, and what stood there.
Log: TypeAlias = list[tuple[list[int], int, int]]

# Searches, with as much work each.
SEARCHES = 4
# Turns before the first new start, for each vertex, and how many more there are each time.
TURNS, MORE = 1, 1.3
# Weights at first: what each neighbour counts, and a random number below; and what a vertex gains whose color left none
# to another one.
PER_NEIGHBOR, LUCK, BLAME = 0.1, 0.01, 0.5


@dataclass(eq=False)
class Partial:
    """A star coloring of some vertices, with what it leaves to the others.

    Parameters
    ----------
    near : list of list of int
        The neighbours of each vertex.
    k : int
        Number of colors.
    random : Random
    """

    near: list[list[int]]
    k: int
    random: InitVar[Random]
    colors: list[int] = field(init=False)
    # Colors of the neighbours of a vertex, and those that several of them have.
    once: list[int] = field(init=False)
    twice: list[int] = field(init=False)
    # Of a vertex with a color: the colors of its neighbours that have other neighbours of its color.
    closed: list[int] = field(init=False)
    # Colors that a vertex cannot take, of those without color.
    barred: list[int] = field(init=False)
    weights: list[float] = field(init=False)
    scores: list[float] = field(init=False)
    work: int = 0

    def __post_init__(self, random: Random) -> None:
        n = len(self.near)
        self.weights = [1 + PER_NEIGHBOR * len(around) + LUCK * random.random() for around in self.near]
        self.colors = [-1] * n
        self.once, self.twice, self.closed, self.barred = ([0] * n for _ in range(4))
        self.scores = [self.k / weight for weight in self.weights]


@dataclass(frozen=True)
class Attempt:
    """What came out: colors, or that there are none, and the work that is left."""

    colors: list[int] | None
    refuted: bool
    left: int


def neighbors_of(graph: AdjacencyGraph) -> tuple[list[list[int]], list[int]]:
    """List the neighbours of each vertex, numbered by falling degree; and the vertex of each number."""
    order = sorted(range(graph.num_vertices), key=graph.degrees.tolist().__getitem__, reverse=True)
    numbers = [0] * len(order)
    for number, vertex in enumerate(order):
        numbers[vertex] = number
    ends, neighbors = graph.ptr.tolist(), [numbers[vertex] for vertex in graph.neighbors.tolist()]
    return [neighbors[ends[vertex] : ends[vertex + 1]] for vertex in order], order


def search(near: list[list[int]], k: int, work: int, random: Random) -> Attempt:
    """Look for a star coloring with k colors.

    Parameters
    ----------
    near : list of list of int
        The neighbours of each vertex.
    k : int
    work : int
        Neighbours that may be looked at.
    random : Random

    Examples
    --------
    >>> path = [[1], [0, 2], [1, 3], [2]]
    >>> search(path, 2, 1000, Random(0)).refuted, len(set(search(path, 3, 1000, Random(0)).colors))
    (True, 3)
    """
    left = work
    for _ in range(SEARCHES):
        partial, turns = Partial(near, k, random), TURNS * len(near)
        most = min(work // SEARCHES + 1, left)
        while partial.work < most:
            answer = _dive(partial, turns, most)
            if answer is not None:
                return Attempt(partial.colors if answer else None, not answer, max(left - partial.work, 0))
            turns = int(MORE * turns) + 1
        left = max(left - partial.work, 0)
    return Attempt(None, refuted=False, left=0)


def _dive(partial: Partial, turns: int, work: int) -> bool | None:
    """Search for some turns; True with a coloring, False if there is none, None if all colors were taken back."""
    left = dict.fromkeys(range(len(partial.near)))
    everything = (1 << partial.k) - 1
    stack: list[tuple[int, int, int, Log]] = []  # vertex, colors not tried yet, those in use before, changes
    used = 0
    while left:
        vertex = min(left, key=partial.scores.__getitem__)
        del left[vertex]
        untried, log = ~partial.barred[vertex] & everything & ((2 << used) - 1), Log()
        while True:
            while not untried:
                left[vertex] = None
                if not stack:
                    return False
                vertex, untried, used, log = stack.pop()
                _take_back(partial, vertex, log)
            turns -= 1
            if turns < 0 or partial.work > work:
                for changed, _, _, log in reversed(stack):
                    _take_back(partial, changed, log)
                return None
            bit = untried & -untried
            untried ^= bit
            log = []
            if _place(partial, vertex, bit, log):
                break
            _take_back(partial, vertex, log)
        stack.append((vertex, untried, used, log))
        used = max(used, bit.bit_length())
    return True


def _place(partial: Partial, vertex: int, bit: int, log: Log) -> bool:
    """Give a vertex a color; whether each other one that it concerns still has a color left."""
    near, once, twice, closed, colors = partial.near, partial.once, partial.twice, partial.closed, partial.colors
    color = bit.bit_length() - 1
    colors[vertex] = color
    concerned = set(near[vertex])
    several = twice[vertex]
    for middle in near[vertex]:
        other = colors[middle]
        if not once[middle] & bit:
            log.append((once, middle, once[middle]))
            once[middle] |= bit
            if other >= 0:
                concerned.update(near[middle])
        elif not twice[middle] & bit:
            log.append((twice, middle, twice[middle]))
            twice[middle] |= bit
            if other >= 0:
                for end in near[middle]:
                    if colors[end] == color:
                        log.append((closed, end, closed[end]))
                        closed[end] |= 1 << other
                        concerned.update(near[end])
        elif other >= 0:
            log.append((closed, vertex, closed[vertex]))
            closed[vertex] |= 1 << other
        if other >= 0 and several >> other & 1:
            log.append((closed, middle, closed[middle]))
            closed[middle] |= bit
            concerned.update(near[middle])
    good = True
    for other in concerned:
        if colors[other] < 0 and not _update(partial, other, vertex, log):
            good = False  # the others learn all the same
    return good


def _update(partial: Partial, vertex: int, cause: int, log: Log) -> bool:
    """Find anew which colors a vertex cannot take; whether there are others."""
    near, colors = partial.near[vertex], partial.colors
    barred, several = partial.once[vertex], partial.twice[vertex]
    partial.work += len(near)
    for other in near:
        color = colors[other]
        if color >= 0:
            barred |= partial.closed[other]
            if several >> color & 1:
                barred |= partial.once[other]
    if barred == partial.barred[vertex]:
        return True
    log.append((partial.barred, vertex, partial.barred[vertex]))
    partial.barred[vertex] = barred
    choice = partial.k - (barred & ((1 << partial.k) - 1)).bit_count()
    if not choice:
        partial.weights[vertex] += 1
        partial.weights[cause] += BLAME
    partial.scores[vertex] = choice / partial.weights[vertex]
    return choice > 0


def _take_back(partial: Partial, vertex: int, log: Log) -> None:
    """Undo what a color changed."""
    for values, place, before in reversed(log):
        values[place] = before
        if values is partial.barred:
            choice = partial.k - (before & ((1 << partial.k) - 1)).bit_count()
            partial.scores[place] = choice / partial.weights[place]
    partial.colors[vertex] = -1
