"""Whether a Program can be differentiated more than once."""

from __future__ import annotations

from sparsejac.errors import UntraceableError
from sparsejac.location import Site, line_of
from sparsejac.program import Node, Program


def check_differentiable_again(program: Program, call: str) -> None:
    """Refuse rules that hold for first derivatives only.

    A library's function has a derivative by a surrogate: an expression with the right first derivative, in which other
    results of the function stand as constants, though they move with x. A second derivative of it would be wrong.

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
    moving = _moving(program)
    by_index = {node.index: node for node in program.nodes}
    sites = {node.index: site for node, site in zip(program.nodes, program.sites, strict=True)}
    seen: set[int] = set()
    for node in program.nodes:
        if node.active and node.primitive is not None and node.primitive.name == "derived":
            held = _held(node.loads[1].node, by_index, moving, seen)
            if held is not None:
                raise _refusal(call, held, sites[node.index])


def _moving(program: Program) -> set[int]:
    """The nodes that depend on the first input in any way, differentiably or not."""
    moving: set[int] = set()
    for node in program.nodes:
        is_x = node.kind == "input" and node.slot == 0
        if is_x or any(load.node.index in moving for load in node.operands()):
            moving.add(node.index)
    return moving


def _held(surrogate: Node, by_index: dict[int, Node], moving: set[int], seen: set[int]) -> Node | None:
    """A node that moves with x and is held fixed in an expression."""
    stack = [surrogate]
    while stack:
        node = stack.pop()
        if node.index in seen or node.index not in moving:
            continue
        seen.add(node.index)
        if node.kind == "call" or (node.primitive is not None and node.primitive.name == "stop"):
            return node
        stack += [by_index[load.node.index] for load in node.operands()]
    return None


def _refusal(call: str, held: Node, site: Site) -> UntraceableError:
    name = held.routine.name if held.routine is not None else "a rule with stop_gradient"
    line = line_of(site)
    return UntraceableError(
        f"{call}: sparsejac cannot differentiate {name} twice: its rule is one of first derivatives\n  "
        f"{'<unknown place>' if line is None else line}\n  Cure: write it with NumPy's elementwise functions, sums and "
        "products; or take differences of its first derivatives, which are exact."
    )
