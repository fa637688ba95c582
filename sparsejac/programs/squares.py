"""Squares of moduli: where the modulus is zero it has a kink, and its square has none.

The derivative of ``abs(x)**2``, of ``np.hypot(a, b)**2`` and of ``np.linalg.norm(x)**2`` is that of what stands under
the root: by the rules of the parts alone, a second derivative at zero would be the square of a slope that is zero there
by convention. Values stay what they are, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kernels.records import replace
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import composed, contiguous

if TYPE_CHECKING:
    from sparsejac.programs.program import Graph, Load, Node

_SQUARE, _ADD, _DERIVED = (PRIMITIVES[name] for name in ("square", "add", "derived"))


def square_of_modulus(graph: Graph, load: Load) -> Node | None:
    """The square of what is read, if that is a modulus that moves; else None.

    Parameters
    ----------
    graph : Graph
        Where nodes are added.
    load : Load
    """
    root = load.node
    find = None if root.primitive is None else _UNDER.get(root.primitive.name)
    under = find(graph, load) if find is not None and graph.is_differentiated(root) else None
    if under is None or root.primitive is None or root.primitive.name == "absolute":
        return None if under is None else under.node
    box = load.address.box
    value = replace(load, node=graph.plain_map(_SQUARE, box, (load,)), address=contiguous(box))
    return graph.map(_DERIVED, box, (value, under))


def _through(load: Load, inner: Load) -> Load:
    """What `load` reads of an operand of the map that it reads."""
    return replace(inner, address=composed(inner.address, load.address))


def _squared(graph: Graph, load: Load) -> Load:
    box = load.address.box
    return replace(load, node=graph.map(_SQUARE, box, (load,)), address=contiguous(box))


def _of_number(graph: Graph, load: Load) -> Load:
    return _squared(graph, _through(load, load.node.loads[0]))


def _of_pair(graph: Graph, load: Load) -> Load:
    box = load.address.box
    first, second = (_squared(graph, _through(load, part)) for part in load.node.loads)
    return replace(load, node=graph.map(_ADD, box, (first, second)), address=contiguous(box))


def _of_norm(graph: Graph, load: Load) -> Load | None:
    """What stands under ``np.where(total == 0.0, 0.0, np.sqrt(total))``, as norms are written."""
    condition, zero, root = load.node.loads
    is_root = root.node.primitive is not None and root.node.primitive.name == "sqrt"
    is_guard = condition.node.primitive is not None and condition.node.primitive.name == "equal"
    if not (is_root and is_guard and _is_zero(graph, zero)):
        return None
    under = _through(root, root.node.loads[0])
    asked = [_through(condition, part) for part in condition.node.loads]
    totals = [part for part in asked if part.key == under.key]
    others = [part for part in asked if part.key != under.key]
    return _through(load, under) if totals and all(_is_zero(graph, part) for part in others) else None


def _is_zero(graph: Graph, load: Load) -> bool:
    return load.node.kind == "constant" and not graph.constants[load.node.slot].any()


_UNDER: dict[str, Callable[[Graph, Load], Load | None]] = {
    "absolute": _of_number,
    "hypot": _of_pair,
    "select": _of_norm,
}
"""What is the modulus of something -> the square of it, without a root."""
