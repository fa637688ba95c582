"""Taking nested arguments apart and putting them together again."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsejac.blocks import Blocks
from sparsejac.patterns.pattern import Pattern
from sparsejac.structure import (
    Branch,
    Leaf,
    each_leaf,
    flatten,
    is_container,
    leaves_of,
    offsets_of,
    split,
    tuple_of,
    unflatten,
    values_in,
)


class Pair(NamedTuple):
    """Two parts with names."""

    left: Any
    right: Any


@dataclass(frozen=True)
class Box:
    """One part with a name."""

    inside: Any


def described(obj: Any) -> tuple[Any, list[Any]]:
    return flatten(obj, lambda _, value: (Leaf(np.shape(value), not isinstance(value, np.ndarray)), value), "x")


ARRAYS = st.sampled_from([np.zeros(0), np.arange(3.0), np.ones((2, 1)), np.array(5.0), np.ones((0, 2))])
LEAVES = st.one_of(ARRAYS, st.floats(-1, 1))


def containers(parts: Any) -> Any:
    return st.one_of(
        st.dictionaries(st.sampled_from("abc"), parts, max_size=3),
        st.lists(parts, max_size=3).map(lambda items: [*items, np.ones(2)]),  # lists of numbers alone are leaves
        st.lists(parts, max_size=3).map(lambda items: (np.ones(2), *items)),
        st.builds(Pair, parts, parts),
        st.builds(Box, parts),
    )


def same(one: Any, other: Any) -> bool:
    """Equal, container by container."""
    if isinstance(one, dict):
        return type(one) is type(other) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Box):
        return type(other) is Box and same(one.inside, other.inside)
    return one is other


@given(st.recursive(LEAVES, containers, max_leaves=8))
def test_round_trip(obj: Any) -> None:
    """What was taken apart is put together as it was; structures are equal by their shapes."""
    structure, kept = described(obj)
    assert same(unflatten(structure, kept), obj)
    assert described(obj)[0] == structure
    assert len(leaves_of(structure)) == len(kept)
    assert offsets_of(structure)[-1] == sum(np.size(value) for value in kept)


@given(st.recursive(LEAVES, containers, max_leaves=8))
def test_the_vector_of_all(obj: Any) -> None:
    """Each leaf is read back from the vector in which all stand side by side."""
    structure, kept = described(obj)
    vector = np.concatenate([np.zeros(0), *(np.ravel(np.asarray(value, dtype=float)) for value in kept)])
    for part, value in zip(split(structure, vector), kept, strict=True):
        assert np.array_equal(part, np.asarray(value, dtype=float))
    again, values = described(values_in(structure, vector))
    assert [np.shape(value) for value in values] == [leaf.shape for leaf in leaves_of(structure)]
    assert offsets_of(again)[-1] == len(vector)


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ([1.0, 2], False),
        ([[1.0], (2.0, np.float64(3.0))], False),
        ([], False),
        ((), False),
        ([np.array(1.0)], False),
        (["text", None], False),
        (np.ones((2, 2)), False),
        (3.0, False),
        ("text", False),
        ([np.ones(1)], True),
        ([1.0, [np.ones(0)]], True),
        ([{}], True),
        ([Pair(1.0, 2.0)], True),
        ([Box(1.0)], True),
        (Pair(1.0, 2.0), True),
        (Box(1.0), True),
        (Box, False),
        ({}, True),
        (OrderedDict(), True),
        (defaultdict(int), True),
    ],
    ids=repr,
)
def test_what_is_a_container(obj: Any, expected: bool) -> None:
    assert is_container(obj) is expected


def test_paths_name_keys_positions_and_fields() -> None:
    obj = {"a": [np.ones(1), Pair(1.0, Box({2: 3.0}))]}
    _, paths = flatten(obj, lambda path, _: (Leaf(()), path), "x")
    assert paths == ["x['a'][0]", "x['a'][1].left", "x['a'][1].right.inside[2]"]


def test_structures_differ_by_kind_keys_and_shapes() -> None:
    objects = [
        {"a": np.ones(2)}, {"b": np.ones(2)}, {"a": np.ones(3)}, {"a": 1.0}, [np.ones(2)], (np.ones(2),),
        Box(np.ones(2)), Pair(np.ones(2), 1.0), np.ones(2), {"a": {"a": np.ones(2)}}, OrderedDict(a=np.ones(2)),
    ]  # fmt: skip
    structures = [described(obj)[0] for obj in objects]
    for i, one in enumerate(structures):
        for j, other in enumerate(structures):
            assert (one == other) is (i == j)
    assert described({"a": 1.0})[0] == described({"a": np.array(1.0)})[0]


def test_text_of_a_structure() -> None:
    assert str(described({"a": [np.ones(2), 1.0], "b": Pair(1.0, 2.0)})[0]) == (
        "dict(a: list((2,), ()), b: Pair(left: (), right: ()))"
    )


def test_a_structure_keeps_no_contents() -> None:
    """Neither arrays nor what f traced stay alive with it."""
    structure, _ = described({"a": Box(np.ones(3))})
    assert isinstance(structure, Branch)
    assert structure.empty == {}
    child = structure.children[0]
    assert isinstance(child, Branch)
    assert child.empty.inside is None


def test_numbers_may_be_told_apart() -> None:
    leaves = leaves_of(each_leaf(described([np.ones(2), 1.0])[0], lambda leaf: Leaf((9, *leaf.shape))))
    assert leaves == [Leaf((9, 2)), Leaf((9,))]
    assert Leaf((), is_number=True) == Leaf(())


@given(st.integers(0, 2**16), st.lists(st.integers(0, 4), max_size=4), st.lists(st.integers(0, 4), max_size=4))
def test_blocks_of_a_matrix(seed: int, heights: list[int], widths: list[int]) -> None:
    """Cut by slices of the dense matrix, parts without rows or columns included."""
    rng = np.random.default_rng(seed)
    shape = (sum(heights), sum(widths))
    dense = np.where(rng.uniform(size=shape) < 0.5, rng.uniform(1.0, 2.0, shape), 0.0)
    rows, columns = np.nonzero(dense)
    pattern = Pattern.from_coo(rows, columns, shape=shape)
    outputs, inputs = (tuple_of(Leaf((size,)) for size in sizes) for sizes in (heights, widths))
    blocks = Blocks(pattern, outputs, inputs)
    found = blocks.matrices(np.asarray(dense[rows, columns], dtype=np.float64), "csr", copy_structure=False)
    patterns = blocks.patterns()
    top = 0
    for i, height in enumerate(heights):
        left = 0
        for j, width in enumerate(widths):
            expected = dense[top : top + height, left : left + width]
            assert np.array_equal(found[i][j].toarray(), expected)
            assert patterns[i][j] == Pattern.from_scipy(found[i][j])
            left += width
        top += height
