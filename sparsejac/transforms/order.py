"""Whether a Program can be differentiated more than once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sparsejac.errors import UntraceableError
from sparsejac.location import Site, line_of
from sparsejac.programs.program import Node, Program, differentiable


def check_differentiable_again(program: Program, call: str) -> None:
    """Refuse rules that hold for first derivatives only.

    A library's function has a derivative by a surrogate: an expression with the right first derivative, in which other
    results of the function stand as constants, though they move with x. Its second derivative needs their successors;
    see `factors`.

    Parameters
    ----------
    program : Program
    call : str
        The public call, for messages.

    Raises
    ------
    UntraceableError
        Naming the function and the line of f.
    """
    inputs = [node for node in program.nodes if node.kind == "input" and node.slot == 0]
    sites = {node.index: site for node, site in zip(program.nodes, program.sites, strict=True)}
    check_nodes(program.nodes, inputs, sites, call)


def check_nodes(
    nodes: Sequence[Node],
    inputs: Sequence[Node],
    sites: Mapping[int, Site],
    call: str,
    *,
    all_nodes: bool = False,
) -> None:
    """As `check_differentiable_again`, of the part of a graph that depends on `inputs`, operands first.

    Parameters
    ----------
    nodes, inputs : sequence of Node
    sites : mapping
    call : str
    all_nodes : bool
        Whether nodes that are not active are asked, too: they are differentiated by something else than the graph's x.
    """
    moving = _moving(nodes, inputs)
    seen: set[int] = set()
    for node in nodes:
        if not (node.active or all_nodes):
            continue
        if node.routine is not None and node.routine.rule is not None:
            for inner in node.routine.rule.inner:
                check_differentiable_again(inner, call)
        if node.primitive is not None and node.primitive.name == "derived":
            held = _held(node.loads[1].node, moving, seen)
            if held is not None:
                assert held.routine is not None
                raise refusal(f"{call}: ", held.routine.name, sites[node.index])


def dependent(nodes: Iterable[Node], source: Node) -> set[int]:
    """The nodes, operands first, that depend on one of them in any way."""
    found = {source.index}
    for node in nodes:
        if any(load.node.index in found for load in node.operands()):
            found.add(node.index)
    return found


_PERIODIC = frozenset({"remainder", "fmod"})


def has_jumps(nodes: Sequence[Node], source: Node, output: Node) -> bool:
    """Whether a result may jump where its derivative does not: through ``np.floor``, a comparison, ``np.mod``.

    Parameters
    ----------
    nodes : sequence of Node
        Operands first; all from the source to the output.
    source, output : Node
    """
    moving = dependent(nodes, source)
    needed = {output.index} & moving
    for node in reversed(nodes):
        if node.index in needed and node is not source:
            smooth = {load.node.index for load in differentiable(node)}
            # What stands beside a surrogate is its value, which moves as the surrogate does.
            is_derived = node.primitive is not None and node.primitive.name == "derived"
            read = smooth if is_derived else {load.node.index for load in node.operands()}
            jumps = node.primitive is not None and node.primitive.name in _PERIODIC
            if jumps or not read & moving <= smooth:
                return True
            needed |= smooth & moving
    return False


def _moving(nodes: Sequence[Node], inputs: Sequence[Node]) -> set[int]:
    """The nodes that depend on inputs in any way, differentiably or not."""
    moving = {node.index for node in inputs}
    for node in nodes:
        if node.active or any(load.node.index in moving for load in node.operands()):
            moving.add(node.index)
    return moving


def _held(surrogate: Node, moving: set[int], seen: set[int]) -> Node | None:
    """A node that moves with x and is held fixed in an expression."""
    stack = [surrogate]
    while stack:
        node = stack.pop()
        if node.index in seen or node.index not in moving:
            continue
        seen.add(node.index)
        name = "" if node.primitive is None else node.primitive.name
        if name == "stop":
            continue
        if node.routine is not None and node.routine.rule is None and node.routine.successor is None:
            return node
        # What was called for a value that has a surrogate is held, but moves as the surrogate does.
        stack += [load.node for load in (node.loads[1:] if name == "derived" else node.operands())]
    return None


def refusal(call: str, name: str, site: Site) -> UntraceableError:
    """What to raise for a function that has no second derivative; `call` comes first in the message."""
    line = line_of(site)
    return UntraceableError(
        f"{call}sparsejac cannot differentiate {name} twice: its rule is one of first derivatives\n  "
        f"{'<unknown place>' if line is None else line}\n  Cure: write it with functions that have second derivatives "
        "(docs/hessians.md); or take differences of its first derivatives, which are exact."
    )
