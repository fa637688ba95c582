"""Tangents and cotangents: vectors in the structure of x or of a result, one or several side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsejac.arguments import as_point
from sparsejac.errors import InputError, InputTypeError
from sparsejac.location import user_location
from sparsejac.structure import Branch, Leaf, Structure, leaves_of, offsets_of, step_to, unflatten

Floats = npt.NDArray[np.float64]


def product_name(call: str, method: str) -> str:
    """What messages call a product: its method where users hold a `Linearization`, else the call that gave it.

    >>> product_name("linearize", "vjp"), product_name("vjp", "vjp")
    ('Linearization.vjp', 'vjp')
    """
    return f"Linearization.{method}" if call == "linearize" else call


def as_seeds(call: str, name: str, structure: Structure, given: Any) -> tuple[Floats, int | None]:
    """A tangent, or several of them, as one flat array.

    Parameters
    ----------
    call, name : str
        For messages.
    structure : Leaf or Branch
        What the tangents belong to.
    given : object
        Of the same structure; each array has the same shape, or with one more axis, the last, for several tangents.

    Returns
    -------
    seeds : array, shape (size * count,)
        For each number its tangents, side by side.
    count : int or None
        None for one tangent, without an axis.
    """
    arrays = [(leaf, path, as_point(call, value, path)) for leaf, path, value in parts_of(call, name, structure, given)]
    count = count_of(call, name, [(leaf, path, array.shape) for leaf, path, array in arrays])
    flat = [array.reshape(-1) for _, _, array in arrays]
    return flat[0] if len(flat) == 1 else np.concatenate([np.empty(0), *flat]), count


def count_of(call: str, name: str, parts: list[tuple[Leaf, str, tuple[int, ...]]]) -> int | None:
    """How many tangents there are, from the shapes of the arrays that came; None for one without an axis."""
    counts = {_count(call, path, leaf, shape) for leaf, path, shape in parts}
    if len(counts) > 1:
        raise InputError(
            f"{call}: {name} has arrays of different numbers of tangents, {_listed(counts)}\n  {user_location()}\n  "
            "Cure: give each array one more axis of the same length, or none."
        )
    return counts.pop() if counts else None


def shaped(structure: Structure, flat: Floats, count: int | None) -> Any:
    """Numbers that are side by side in a structure: each array with one more axis, where there are several for each."""
    tail = () if count is None else (count,)
    offsets = [bound * (1 if count is None else count) for bound in offsets_of(structure)]
    places = zip(leaves_of(structure), offsets, offsets[1:], strict=False)
    return unflatten(structure, (flat[start:stop].reshape((*leaf.shape, *tail))[()] for leaf, start, stop in places))


def parts_of(call: str, path: str, structure: Structure, given: Any) -> Iterator[tuple[Leaf, str, Any]]:
    """The parts of an object that stand in the places of the leaves of a structure."""
    if isinstance(structure, Leaf):
        yield structure, path, given
        return
    for key, child in zip(structure.keys, structure.children, strict=True):
        yield from parts_of(call, path + step_to(structure.kind, key), child, _item(call, path, structure, given, key))


def _item(call: str, path: str, branch: Branch, given: Any, key: Any) -> Any:
    kind = branch.kind
    by_position = kind in (list, tuple)
    try:
        if by_position and isinstance(given, list | tuple) and len(given) == len(branch.keys):
            return given[key]
        if (is_dataclass(kind) or hasattr(kind, "_fields")) and isinstance(given, kind):
            return getattr(given, key)
        if not by_position and isinstance(given, dict) and set(given) == set(branch.keys):
            return given[key]
    except (LookupError, AttributeError):  # a container that is not what it says: told below
        pass
    raise InputTypeError(
        f"{call}: {path} is a {type(given).__name__}, and has to be nested like {branch}\n  {user_location()}\n  Cure: "
        "pass the same containers, with an array of the same shape in the place of each array."
    )


def _count(call: str, path: str, leaf: Leaf, shape: tuple[int, ...]) -> int | None:
    if shape == leaf.shape:
        return None
    if shape[:-1] == leaf.shape and shape:
        return int(shape[-1])
    raise InputError(
        f"{call}: {path} has shape {shape}, and belongs to an array of shape {leaf.shape}\n  {user_location()}\n"
        "  Cure: pass one of the same shape, or with one more axis, the last, for several at once."
    )


def _listed(counts: set[int | None]) -> str:
    return " and ".join("one without an axis" if c is None else str(c) for c in sorted(counts, key=lambda c: c or 0))
