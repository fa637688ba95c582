"""The array-level representation of a traced function: nodes in single-assignment form.

Every node is a flat vector of real numbers. Views, broadcasts and fancy indices are not nodes but the addresses under
which a node reads its operands, so that there are only a few kinds of node:

========== ====================================================================================
input      an argument of f
constant   numbers that f captured: operands at run time, only their size is structure
map        an elementwise primitive at each point of a box
sum        sums over the last dimensions of a box, or over ragged ranges of points
join       a vector put together from pieces of others; places without a piece hold 0.0
call       a function of whole vectors; a derivative passes through it if it has a rule: see `Routine`
========== ====================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from math import prod
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from kernels.address import Address, Index, identity
from kernels.lazy import Lazy
from kernels.records import dataclass
from sparsejac.location import NOWHERE, Site, user_site
from sparsejac.primitives import PRIMITIVES, Primitive

SQUARES = Lazy("sparsejac.programs.squares")
_SQUARE, _MULTIPLY = PRIMITIVES["square"], PRIMITIVES["multiply"]
_MODULI = frozenset(["absolute", "hypot", "select"])
"""Primitives by which moduli are written; the squares of others do not load what knows them."""

Kind = Literal["input", "constant", "map", "sum", "join", "call"]


@dataclass(frozen=True, eq=False)
class Load:
    """An operand: a node and the address under which it is read at each point."""

    node: Node
    address: Address

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal operands."""
        return (self.node.index, self.address.key)


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a join: for each point of a box, what is read and where it is put; and by which line of f, if known."""

    store: Address
    load: Load
    site: Site = NOWHERE


class CallRule(Protocol):
    """How a call is differentiated, as often as is wanted: its tangents are nodes, calls with rules among them.

    `builder` is a `transforms.builder.Builder` on the graph of the node.
    """

    @property
    def differentiable(self) -> tuple[int, ...]:
        """The operands through which a derivative passes."""

    @property
    def inner(self) -> Iterable[Program]:
        """Programs that the tangents are taken from."""

    def push(
        self,
        builder: Any,
        node: Node,
        tangents: Mapping[int, Load],
        seeds: int | None,
        *,
        guarded: bool,
        again: bool = False,
    ) -> Node | None:
        """The tangents of the results for those of operands, by position; each number has `seeds`, side by side.

        `guarded` and `again` are those of `transforms.tangents.push`.
        """

    def pull(self, builder: Any, node: Node, operand: int, cotangent: Load) -> Load:
        """The cotangent of an operand in which the call is linear, over the box under which it is read."""

    def explicit(self, builder: Any, node: Node, loads: tuple[Load, ...], source: Node) -> Node:
        """The results with the first derivative of sums of products; `source` is the graph's differentiated input."""


class Successor(Protocol):
    """What gives the results of a call together with their derivatives."""

    def template(self) -> tuple[Program, list[npt.NDArray[np.float64]]]:
        """A Program of the same results, whose inputs are the call's operands, and its constants."""


@dataclass(frozen=True, eq=False)
class Routine:
    """A function of whole vectors that is run as it is.

    Parameters
    ----------
    name : str
    key : tuple
        What tells the function from others of this name: options, contents of tables. Its text enters the digest.
    function : callable
        Takes one float64 array for each operand, returns all results in C order. Pure.
    rule : CallRule, optional
        Its derivative; without it no derivative passes.
    successor : Successor, optional
        Without a rule: what stands for the results where they are factors of a derivative that is differentiated again.
    """

    name: str
    key: tuple[object, ...]
    function: Callable[..., npt.NDArray[np.float64]]
    rule: CallRule | None = None
    successor: Successor | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """One vector of a `Program`.

    Parameters
    ----------
    index : int
        Place in the order of creation; operands come before.
    kind : {"input", "constant", "map", "sum", "join", "call"}
    size : int
    box : tuple of int
        Iteration space of a map or a sum.
    loads : tuple of Load
        Operands of a map or a sum, their addresses over `box`; those of a call, each over a box of its own.
    pieces : tuple of Piece
        Parts of a join; a later piece overwrites an earlier one, and of the active ones no two overlap.
    primitive : Primitive, optional
        What a map applies.
    reduced : int
        Number of trailing dimensions of `box` that a sum reduces.
    indptr : array of int, optional
        Ranges of points of a ragged sum.
    routine : Routine, optional
        What a call runs.
    slot : int
        Number of the input or the constant.
    active : bool
        Whether the node depends differentiably on the first input.
    """

    index: int
    kind: Kind
    size: int
    box: tuple[int, ...] = ()
    loads: tuple[Load, ...] = ()
    pieces: tuple[Piece, ...] = ()
    primitive: Primitive | None = None
    reduced: int = 0
    indptr: Index | None = None
    routine: Routine | None = None
    slot: int = -1
    active: bool = False

    def __repr__(self) -> str:
        name = self.primitive.name if self.primitive else self.routine.name if self.routine else self.kind
        reads = ", ".join(f"%{load.node.index}{_show(load.address)}" for load in self.operands())
        return f"%{self.index}: {self.size} = {name}({reads})"

    def operands(self) -> tuple[Load, ...]:
        """Everything the node reads."""
        return (*self.loads, *[piece.load for piece in self.pieces]) if self.pieces else self.loads


def has_active_calls(program: Program) -> bool:
    """Whether a derivative passes through a call, by its rule."""
    return any(node.kind == "call" and node.active for node in program.nodes)


def is_zero(node: Node) -> bool:
    """Whether a node holds nothing but 0.0: a join without pieces."""
    return node.kind == "join" and not node.pieces


def _show(address: Address) -> str:
    box, *rest = address.key
    return f"[{'x'.join(map(str, box)) if isinstance(box, tuple) else box}: {', '.join(map(str, rest))}]"


@dataclass(frozen=True, eq=False)
class Decision:
    """A node whose values decided the way through f, the values it had, and the lines of f that asked for them.

    There is one line for all values, or one for each.
    """

    node: Node
    expected: npt.NDArray[np.float64]
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True, eq=False)
class Program:
    """What f does, as nodes in an order that respects their data flow.

    Parameters
    ----------
    nodes : tuple of Node
        Only nodes that `output` or a decision needs.
    output : Node
    decisions : tuple of Decision
    input_sizes : tuple of int
        The differentiated input first.
    constants : tuple of int
        Slots of the constants that are needed, in the order in which they are operands.
    constant_sizes : tuple of int
    digest : str
        Equal for programs of equal structure, wherever they were traced.
    sites : tuple of Site
        For each node the place in f where it was first made.
    aux : Node, optional
        Values that are wanted beside the output; nobody asks for their derivative.
    """

    nodes: tuple[Node, ...]
    output: Node
    decisions: tuple[Decision, ...]
    input_sizes: tuple[int, ...]
    constants: tuple[int, ...]
    constant_sizes: tuple[int, ...]
    digest: str = field(default="", compare=False)
    sites: tuple[Site, ...] = ()
    aux: Node | None = None

    def __str__(self) -> str:
        lines = [repr(node) for node in self.nodes]
        return "\n".join([*lines, f"return %{self.output.index}"])


def program(graph: Graph, output: Node, decisions: Iterable[Decision], aux: Node | None = None) -> Program:
    """The part of a graph that `output`, the decisions and `aux` need, with its digest."""
    decided = tuple(decisions)
    needed = {output.index} | {d.node.index for d in decided} | ({aux.index} if aux else set())
    for node in reversed(graph.nodes):
        if node.index in needed:
            needed.update(load.node.index for load in node.operands())
    nodes = tuple(node for node in graph.nodes if node.index in needed)
    constants = tuple(node.slot for node in nodes if node.kind == "constant")
    sizes = tuple(len(graph.constants[slot]) for slot in constants)
    digest = _digest(nodes, output, decided, graph.input_sizes, aux)
    sites = tuple(graph.sites[node.index] for node in nodes)
    return Program(nodes, output, decided, tuple(graph.input_sizes), constants, sizes, digest, sites, aux)


def _digest(
    nodes: tuple[Node, ...], output: Node, decisions: tuple[Decision, ...], inputs: list[int], aux: Node | None
) -> str:
    """Digest of structure, shapes, index tables and decisions; the values of constants do not enter."""
    number = {node.index: k for k, node in enumerate(nodes)}
    state = hashlib.blake2b(repr(inputs).encode(), digest_size=20)
    for node in nodes:
        reads = [(number[load.node.index], load.address.key) for load in node.operands()]
        stores = [piece.store.key for piece in node.pieces]
        name = node.primitive.name if node.primitive else ""
        if node.routine is not None:
            name = f"{node.routine.name}: {node.routine.key!r}"
        slot = node.slot if node.kind == "input" else -1
        state.update(repr((node.kind, name, node.size, node.box, node.reduced, slot, reads, stores)).encode())
        if node.indptr is not None:
            state.update(np.ascontiguousarray(node.indptr, dtype=np.int64).data)
    state.update(repr((number[output.index], number[aux.index] if aux else None)).encode())
    for decision in decisions:
        state.update(repr(number[decision.node.index]).encode())
        state.update(np.ascontiguousarray(decision.expected).data)
    return state.hexdigest()


def differentiable(node: Node) -> Iterable[Load]:
    """The operands by which a node has derivatives."""
    if node.primitive is not None:
        return (load for load, rule in zip(node.loads, node.primitive.partials, strict=True) if rule)
    if node.routine is not None:
        return () if node.routine.rule is None else (node.loads[k] for k in node.routine.rule.differentiable)
    return node.operands()


class Graph:
    """Where nodes are made; equal nodes are made once.

    Parameters
    ----------
    first : int, optional
        Index of the first node.

    Attributes
    ----------
    site : Site, optional
        The place in f that is noted for new nodes; by default the line of f that runs.
    moving : set of int
        While a function that is differentiated inside f runs: its x, and what depends differentiably on that.
    """

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.nodes: list[Node] = []
        self.sites: list[Site] = []
        self.site: Site | None = None
        self.constants: list[npt.NDArray[np.float64]] = []
        self.input_sizes: list[int] = []
        self.moving: set[int] = set()
        self._known: dict[object, Node] = {}

    def is_differentiated(self, node: Node) -> bool:
        """Whether a node depends differentiably on x, or on the x of a function that is differentiated inside f."""
        return node.active or node.index in self.moving

    def input(self, size: int, *, active: bool) -> Node:
        """A new argument of f."""
        self.input_sizes.append(size)
        return self._add(None, "input", size, slot=len(self.input_sizes) - 1, active=active)

    def constant(self, values: npt.NDArray[np.float64]) -> Node:
        """A constant; `values` is kept, so the caller gives a copy of what might change."""
        self.constants.append(values)
        return self._add(None, "constant", len(values), slot=len(self.constants) - 1)

    def placeholder(self, size: int) -> Node:
        """A constant whose values come later: NaN until then, which no rule takes for a known one."""
        return self.constant(np.broadcast_to(np.nan, size))

    def map(self, primitive: Primitive, box: tuple[int, ...], loads: tuple[Load, ...]) -> Node:
        """`primitive` at each point of `box`; the square of a modulus is followed as what it is the square of."""
        is_square = primitive is _SQUARE or (primitive is _MULTIPLY and _are_equal(*loads))
        if is_square and _may_be_modulus(loads[0].node.primitive):
            found: Node | None = SQUARES.square_of_modulus(self, loads[0])
            if found is not None:
                return found
        return self.plain_map(primitive, box, loads)

    def plain_map(self, primitive: Primitive, box: tuple[int, ...], loads: tuple[Load, ...]) -> Node:
        """`primitive` at each point of `box`, as it is: also for rewriting, where constants are unknown."""
        ordered = _canonical(primitive, loads)
        key = ("map", primitive.name, box, tuple([load.key for load in ordered]))
        active = True in [load.node.active for load, rule in zip(ordered, primitive.partials, strict=True) if rule]
        return self._add(key, "map", prod(box), box=box, loads=ordered, primitive=primitive, active=active)

    def copy(self, load: Load) -> Node:
        """What is read, in order, as a node that is no other one: its own derivatives can be told from theirs."""
        primitive, box = PRIMITIVES["copy"], load.address.box
        active = load.node.active
        return self._add(None, "map", prod(box), box=box, loads=(load,), primitive=primitive, active=active)

    def sum(self, box: tuple[int, ...], load: Load, reduced: int = 0, indptr: Index | None = None) -> Node:
        """Sums of what `load` reads over `reduced` trailing dimensions or over ragged ranges."""
        size = len(indptr) - 1 if indptr is not None else prod(box[: len(box) - reduced])
        ranges = None if indptr is None else hashlib.blake2b(np.ascontiguousarray(indptr, dtype=np.int64).data).digest()
        key = ("sum", box, load.key, reduced, ranges)
        active = load.node.active
        return self._add(key, "sum", size, box=box, loads=(load,), reduced=reduced, indptr=indptr, active=active)

    def call(self, routine: Routine, size: int, loads: tuple[Load, ...]) -> Node:
        """A function of whole vectors with `size` results; a derivative passes through it if it has a rule."""
        key = ("call", routine.name, routine.key, routine.rule is None, size, tuple(load.key for load in loads))
        active = routine.rule is not None and any(loads[k].node.active for k in routine.rule.differentiable)
        return self._add(key, "call", size, loads=loads, routine=routine, active=active)

    def join(self, size: int, pieces: tuple[Piece, ...]) -> Node:
        """A vector put together from `pieces`."""
        if len(pieces) == 1 and pieces[0].store.key == identity(size).key:
            load = pieces[0].load
            if load.node.size == size and load.address.key == identity(size).key:
                return load.node
        key = ("join", size, tuple((piece.store.key, piece.load.key) for piece in pieces))
        active = any(piece.load.node.active for piece in pieces)
        return self._add(key, "join", size, pieces=pieces, active=active)

    def _add(self, key: object, kind: Kind, size: int, **fields: object) -> Node:
        node = self._known.get(key) if key is not None else None
        if node is None:
            node = Node(self.first + len(self.nodes), kind, size, **fields)  # type: ignore[arg-type]
            self.nodes.append(node)
            self.sites.append(user_site() if self.site is None else self.site)
            if self.moving and any(load.node.index in self.moving for load in differentiable(node)):
                self.moving.add(node.index)
            if key is not None:
                self._known[key] = node
        return node


def _may_be_modulus(primitive: Primitive | None) -> bool:
    return primitive is not None and primitive.name in _MODULI


def _are_equal(first: Load, second: Load) -> bool:
    return first.node is second.node and first.address.key == second.address.key


def _canonical(primitive: Primitive, loads: tuple[Load, ...]) -> tuple[Load, ...]:
    """Operands of a symmetric primitive in one order, so that x*y is y*x."""
    if not primitive.operation.symmetries or len(loads) != 2:
        return loads
    left, right = loads
    if left.address is right.address or left.node is not right.node:
        return loads if left.node.index <= right.node.index else (right, left)
    return loads if repr(left.address.key) <= repr(right.address.key) else (right, left)
