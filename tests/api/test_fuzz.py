"""A fixed series of random programs; `tests/support/fuzz.py` runs as many as one likes."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import sparsejac
from fuzz import STRATEGIES, Verdict, judge, minimize
from fuzz_programs import KINDS, PLACE, Builder, FuzzProgram, copied, draw_program, fill, runs, usable
from fuzz_table import EXPRESSIONS, STATEMENTS

COUNT = 150
REFUSED = 0.02


def test_programs() -> None:
    """None is wrong, few are refused, and most are judged."""
    verdicts = {number: judge(draw_program(number)) for number in range(COUNT)}
    for number, verdict in verdicts.items():
        assert verdict.kind != "wrong", f"{verdict.reason}\n{minimize(draw_program(number), verdict)}"
    counts = collections.Counter(verdict.kind for verdict in verdicts.values())
    reasons = collections.Counter(verdict.reason for verdict in verdicts.values() if verdict.kind == "refused")
    assert counts["refused"] <= REFUSED * COUNT, reasons
    assert counts["right"] >= 0.8 * COUNT, counts


def test_programs_repeat_themselves() -> None:
    """A number stands for one text, and programs differ."""
    texts = [str(draw_program(number)) for number in range(40)]
    assert texts == [str(draw_program(number)) for number in range(40)]
    assert len(set(texts)) == len(texts)


def prepared(number: int) -> Builder:
    """A builder that already has variables of all kinds."""
    builder = Builder(number)
    x = builder.names["x"]
    ready = {"v1": x.sum(), "v2": np.resize(x, (3, 3)), "v3": np.resize(x, 5), "v4": np.resize(x, (2, 2, 2))}
    builder.names.update(ready)
    builder.variables += ready
    return builder


@pytest.mark.parametrize("table", [EXPRESSIONS, STATEMENTS], ids=["expressions", "statements"])
def test_every_entry_can_be_drawn(table: tuple[str, ...]) -> None:
    """No entry of the table is dead: NumPy takes it for some operands."""
    assert len(table) == len(set(table))

    def takes(template: str, number: int) -> bool:
        builder = prepared(number)
        names = copied(builder.names, builder.variables)
        return runs(fill(template, builder, "v9"), names) and usable(names.get("v9", 0.0))

    dead = [entry for entry in table if not any(takes(_whole(entry), number) for number in range(150))]
    assert not dead
    assert {place[0] for entry in table for place in PLACE.findall(entry)} <= {*KINDS, "y"}


def _whole(entry: str) -> str:
    return entry if entry in STATEMENTS else "{y} = " + entry


@pytest.mark.parametrize("spoil", ["values", "jacobian", "missing"])
def test_judge_sees_what_is_wrong(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value, a wrong entry, and a missing one are each found, and the program is cut down to what matters."""
    text = ("v1 = np.sin(x)", "v2 = np.cos(x) * x[::-1]", "v3 = v1 * 2.0")
    program = FuzzProgram(0, (5,), text, "np.concatenate([v2, v3])")
    assert judge(program) == Verdict("right")
    assert STRATEGIES[0] == "auto"
    original = sparsejac.value_and_jacobian

    def spoiled(*args: object, **options: object) -> tuple[object, object]:
        value, jacobian = original(*args, **options)  # type: ignore[arg-type,call-overload]
        if spoil == "values":
            value[0] += 1e-3
        elif spoil == "jacobian":
            jacobian.data[1] *= 1.001
        else:
            jacobian.data[:] = 0.0
        return value, jacobian

    monkeypatch.setattr(sparsejac, "value_and_jacobian", spoiled)
    verdict = judge(program)
    assert verdict.kind == "wrong"
    assert len(minimize(program, verdict).statements) == 0
