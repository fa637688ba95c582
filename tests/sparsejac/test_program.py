"""Programs: equal nodes are one, dead code leaves, and the digest knows structure but no float values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.address import Affine
from sparsejac.primitives import PRIMITIVES
from sparsejac.programs.addressing import contiguous, table
from sparsejac.programs.program import Decision, Graph, Load, Piece, program
from traced_functions import Array, kinds, program_of, trace

X = np.array([0.5, 1.5, -2.5, 3.0, 0.25])


def digest(f: Any, x: Any = X) -> str:
    return program_of(f, x).digest


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x[1:] * x[:-1] + x[:-1] * x[1:],
        lambda x: np.maximum(x, x[::-1]) + np.maximum(x[::-1], x),
        lambda x: np.sin(x)[1:] + np.sin(x)[1:],
    ],
)
def test_equal_expressions_are_one_node(f: Any) -> None:
    """x*y is y*x: one product (maximum, sine) and one sum."""
    assert len(kinds(program_of(f, X))) == 2


def test_subtraction_keeps_its_order() -> None:
    assert kinds(program_of(lambda x: (x[1:] - x[:-1]) * (x[:-1] - x[1:]), X)).count("subtract") == 2


def test_graph_makes_a_symmetric_node_once() -> None:
    graph = Graph()
    x = graph.input(6, active=True)
    left, right = Load(x, Affine((3,), 0, (1,))), Load(x, Affine((3,), 3, (1,)))
    for name in ("multiply", "add", "hypot", "minimum", "equal"):
        primitive = PRIMITIVES[name]
        assert graph.map(primitive, (3,), (left, right)) is graph.map(primitive, (3,), (right, left))
    subtract = PRIMITIVES["subtract"]
    assert graph.map(subtract, (3,), (left, right)) is not graph.map(subtract, (3,), (right, left))
    multiply = PRIMITIVES["multiply"]
    assert graph.map(multiply, (3,), (left, left)) is not graph.map(multiply, (3,), (left, right))


def test_a_join_of_one_whole_node_is_that_node() -> None:
    graph = Graph()
    x = graph.input(4, active=True)
    whole = contiguous((4,))
    assert graph.join(4, (Piece(whole, Load(x, whole)),)) is x
    assert graph.join(5, (Piece(whole, Load(x, whole)),)) is not x
    assert graph.join(4, (Piece(whole, Load(x, Affine((4,), 3, (-1,)))),)) is not x


def test_activity_stops_at_operands_without_a_rule() -> None:
    graph = Graph()
    x, c = graph.input(3, active=True), graph.constant(np.ones(3))
    whole = contiguous((3,))
    assert graph.map(PRIMITIVES["sin"], (3,), (Load(x, whole),)).active
    assert not graph.map(PRIMITIVES["sin"], (3,), (Load(c, whole),)).active
    assert not graph.map(PRIMITIVES["floor"], (3,), (Load(x, whole),)).active
    condition, other = Load(x, whole), Load(c, whole)
    assert not graph.map(PRIMITIVES["select"], (3,), (condition, other, other)).active
    assert graph.map(PRIMITIVES["select"], (3,), (other, other, condition)).active


def test_dead_code_leaves() -> None:
    def f(x: Array) -> Any:
        np.exp(x) * np.arange(5.0)
        y = np.zeros(5)
        y[:] = np.tan(x)
        y[:] = np.sin(x)
        return y

    made = program_of(f, X)
    assert kinds(made) == ["sin"]
    assert made.constants == ()


def test_operands_come_first() -> None:
    made = program_of(lambda x: np.concatenate([np.sin(x) @ np.ones((5, 2)), x[::2] / x[1]]), X)
    seen: set[int] = set()
    for node in made.nodes:
        assert {load.node.index for load in node.operands()} <= seen
        seen.add(node.index)
    assert made.output.index in seen


def with_constants(scale: Any, shift: Any) -> Any:
    return lambda x: np.exp(x * scale) + shift


def test_digest_knows_no_float_values() -> None:
    """Other x, other captured arrays and numbers: the same structure."""
    first = digest(with_constants(np.arange(1.0, 6.0), 2.0))
    assert first == digest(with_constants(np.full(5, -7.5), 3.25))
    assert first == digest(with_constants(np.arange(1.0, 6.0), 2.0), X[::-1] * 3.0)


def test_values_of_constants_are_operands() -> None:
    traced = trace(with_constants(np.arange(1.0, 6.0), 2.0), X)
    assert sorted(float(v) for c in traced.constants for v in c) == [1.0, 2.0, 2.0, 3.0, 4.0, 5.0]
    assert [len(c) for c in traced.constants] == list(traced.program.constant_sizes)


DIFFERENT = {
    "shape": (lambda x: np.sin(x), lambda x: np.sin(x[1:])),
    "operation": (lambda x: np.sin(x), lambda x: np.cos(x)),
    "slice": (lambda x: x[1:] * x[0], lambda x: x[:-1] * x[0]),
    "index table": (lambda x: np.sin(x[[0, 2, 3]]), lambda x: np.sin(x[[0, 3, 2]])),
    "scatter": (lambda x: np.bincount([0, 1, 1, 0, 2], x), lambda x: np.bincount([0, 1, 2, 0, 2], x)),
    "mask": (lambda x: x[np.arange(5) > 1] * 2.0, lambda x: x[np.arange(5) != 1][:3] * 2.0),
    "shape of a constant": (lambda x: x * np.ones(5), lambda x: x * 1.0),
    "order of operands": (lambda x: x[1:] - x[:-1], lambda x: x[:-1] - x[1:]),
    "axis": (lambda x: np.outer(x, x).sum(axis=0), lambda x: np.outer(x, x[::-1]).sum(axis=1)),
    "length of x": (lambda x: x[:3] ** 2, lambda x: x[:4] ** 2),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_digest_knows_structure(what: str) -> None:
    first, second = DIFFERENT[what]
    assert digest(first) != digest(second)
    assert digest(first) == digest(first)


def test_digest_knows_the_branch() -> None:
    """The same expression after another decision is another Program: its guards differ."""

    def f(x: Array) -> Any:
        if x[0] > 0:
            return 2.0 * x
        return x * 2.0

    assert digest(f, X) != digest(f, -X)
    assert digest(f, X) == digest(f, X * 2.0)
    assert len(program_of(f, X).decisions) == 1


def test_digest_knows_what_a_decision_was_about() -> None:
    assert digest(lambda x: x * 2.0 if x[0] > 0 else x) != digest(lambda x: x * 2.0 if x[1] > 0 else x)


def test_ragged_ranges_and_decisions_enter_the_digest() -> None:
    def made(indptr: list[int], expected: float) -> str:
        graph = Graph()
        x = graph.input(4, active=True)
        load = Load(x, contiguous((4,)))
        total = graph.sum((4,), load, indptr=np.array(indptr))
        mask = graph.map(PRIMITIVES["greater"], (4,), (load, load))
        return program(graph, total, [Decision(mask, np.full(4, expected))]).digest

    digests = {made([0, 1, 4], 0.0), made([0, 2, 4], 0.0), made([0, 1, 4], 1.0)}
    assert len(digests) == 3
    assert made([0, 1, 4], 0.0) in digests


def test_index_tables_of_equal_places_are_one_node() -> None:
    graph = Graph()
    x = graph.input(4, active=True)
    loads = [Load(x, table((3,), np.array([3, 0, 1], dtype=kind))) for kind in (np.int32, np.int64)]
    assert graph.map(PRIMITIVES["sin"], (3,), (loads[0],)) is graph.map(PRIMITIVES["sin"], (3,), (loads[1],))


def test_a_program_prints_itself() -> None:
    text = str(program_of(lambda x: np.sin(x[1:]) * 2.0, X))
    assert "sin(%0[4: 1, (1,)])" in text
    assert text.splitlines()[-1].startswith("return %")


@pytest.mark.parametrize("size", [0, 1])
def test_small_sizes(size: int) -> None:
    made = program_of(lambda x: np.sin(x) * x, np.ones(size))
    assert made.output.size == size
    assert kinds(made) == ["multiply", "sin"]
