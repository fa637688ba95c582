"""Has calls take turns, as `kernels.turn_planner` found that they had better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kernels.address import Affine
from kernels.evaluation import Evaluation, Invocation, Turns
from kernels.products import place_invocation
from kernels.records import replace
from kernels.spans import Whole
from kernels.turn_planner import Plan


def in_turns(evaluation: Evaluation[Invocation], plans: Sequence[Plan]) -> Evaluation[Invocation]:
    """The same evaluation with its calls in turns, on arrays of its own for what lasts one turn."""
    calls, turns = list(evaluation.invocations), list[Turns]()
    for plan in reversed(plans):
        made, turn = applied(calls[plan.first : plan.last], plan)
        calls[plan.first : plan.last] = made
        turns = [turn, *(replace(t, first=t.first + len(made) - plan.last + plan.first) for t in turns)]
    return replace(evaluation, invocations=calls, turns=turns)


def applied(calls: Sequence[Invocation], plan: Plan) -> tuple[list[Invocation], Turns]:
    """Calls on arrays for one turn, with those that keep what is read later; and the ranges of all of them."""
    big = [calls[k].arguments[number] for k, number, _ in plan.room]
    small = {id(array): np.empty(size) for array, size in zip(big, plan.sizes, strict=True)}
    begins = {id(array): begin for array, (_, _, begin) in zip(big, plan.room, strict=True)}
    found: list[Invocation] = []
    ranges: list[tuple[Whole, Whole]] = []
    shifted: list[tuple[npt.NDArray[np.uint64], int]] = []
    offsets: list[Whole] = []
    for k, call in enumerate(calls):
        touches = call.rows.touches() if small and call.rows.touches is not None and not plan.undivided[k] else []
        moving = [touch for touch in touches if id(touch.array) in small]
        if moving:
            geometry = call.arguments[2].copy()
            changed = {id(call.arguments[2]): geometry, **small}
            call = replace(call, arguments=tuple(changed.get(id(a), a) for a in call.arguments))
            for touch in moving:
                if isinstance(touch.offset, int):
                    assert isinstance(touch.address, Affine)
                    shifted.append((geometry, touch.offset))
                    offsets.append(touch.address.offset - begins[id(touch.array)])
        found.append(call)
        ranges.append((plan.starts[k], plan.stops[k]))
        for array, (writer, _, _), (places, slots, counts) in zip(big, plan.room, plan.far, strict=True):
            if writer == k and len(places):
                found.append(place_invocation(small[id(array)], slots, places, array))
                ranges.append((counts[:-1], counts[1:]))
    numbers = np.stack([part for both in ranges for part in both] + offsets, axis=1)
    table = np.ascontiguousarray(numbers, dtype=np.int64).view(np.uint64)
    return found, Turns(plan.first, len(found), table, shifted)
