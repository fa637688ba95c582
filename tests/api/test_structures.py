"""Nested arguments and results: which blocks come back, under which names, with which numbers."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import sparsejac
from api_options import FORMATS, STRATEGIES
from oracles import COMPLEX_STEP, Array

RNG = np.random.default_rng(7)


class State(NamedTuple):
    """A named tuple of an array and a number."""

    u: Any
    p: Any


class Pair(NamedTuple):
    """A named tuple with the names of a dict."""

    a: Any
    b: Any


@dataclass(frozen=True)
class Rates:
    """A dataclass whose property is computed from its fields."""

    k: Any
    w: Any

    @property
    def total(self) -> Any:
        return self.k * np.sum(self.w)


@dataclass(slots=True)
class Slotted:
    """A dataclass without a dict."""

    a: Any
    b: Any


def flow(s: Any) -> Any:
    u, p = s["u"], s["p"]
    return {"mass": u[1:] - u[:-1] * p, "force": p**2 * u[:2] * u[2:4], "power": p * np.sum(u)}


def by_name(s: Any) -> Any:
    return State(s.u * s.p, s.u[:2] * s.u[1:3])


def of_rates(r: Any) -> Any:
    return r.total * r.w, r.k**3


def slotted(s: Any) -> Any:
    return Slotted(s.a[0] * s.b, s.b[::-1] * 2.0)


def nested(s: Any) -> Any:
    first, rest = s
    return [first["x"] * rest[0][1], {"deep": (rest[1] ** 2 * first["y"], first["x"][:1])}]


def shared_rows(s: Any) -> Any:
    return np.concatenate([s[0] ** 2, s[1] * s[0][0]])


def summed(s: Any) -> Any:
    return sum(s[name] ** 2 for name in sorted(s))


@dataclass
class Case:
    """A function of a structure.

    Parameters
    ----------
    f : callable
    leaves : list of array or float
        The arrays of x in order.
    build : callable
        From the leaves to x.
    outputs : callable
        From what f returns, or its Jacobian, to a list in the order of the outputs.
    inputs : callable
        From what stands in the place of an output to a list in the order of the leaves.
    """

    f: Callable[[Any], Any]
    leaves: list[Any]
    build: Callable[..., Any]
    outputs: Callable[[Any], list[Any]]
    inputs: Callable[[Any], list[Any]]


U, W = RNG.uniform(0.5, 1.5, 5), RNG.uniform(0.5, 1.5, 3)
CASES = {
    "dict": Case(
        flow,
        [U, 1.3],
        lambda u, p: {"u": u, "p": p},
        lambda r: [r["mass"], r["force"], r["power"]],
        lambda b: [b["u"], b["p"]],
    ),
    "ordered dict": Case(
        flow,
        [1.3, U],
        lambda p, u: OrderedDict(p=p, u=u),
        lambda r: [r["mass"], r["force"], r["power"]],
        lambda b: [b["p"], b["u"]],
    ),
    "named tuple": Case(by_name, [U, 0.7], State, lambda r: [r.u, r.p], lambda b: [b.u, b.p]),
    "dataclass": Case(of_rates, [0.8, W], Rates, lambda r: [r[0], r[1]], lambda b: [b.k, b.w]),
    "slots": Case(slotted, [W[:1], U], Slotted, lambda r: [r.a, r.b], lambda b: [b.a, b.b]),
    "nested": Case(
        nested,
        [W, 2.5, W[:2], 1.5, U],
        lambda x, y, a, b, c: ({"x": x, "y": y}, [(a, b), c]),
        lambda r: [r[0], r[1]["deep"][0], r[1]["deep"][1]],
        lambda b: [b[0]["x"], b[0]["y"], b[1][0][0], b[1][0][1], b[1][1]],
    ),
    "list": Case(shared_rows, [W, U], lambda a, b: [a, b], lambda r: [r], lambda b: [b[0], b[1]]),
    "numbers": Case(
        summed,
        [1.0, -2.0, 3.0],
        lambda a, b, c: {"c": c, "a": a, "b": b},
        lambda r: [r],
        lambda b: [b["a"], b["b"], b["c"]],
    ),
    "matrix": Case(
        lambda s: s["m"].T * s["v"][:, None],
        [RNG.uniform(0.5, 1.5, (2, 3)), W],
        lambda m, v: {"m": m, "v": v},
        lambda r: [r],
        lambda b: [b["m"], b["v"]],
    ),
    "empty parts": Case(
        lambda s: {"none": s["e"].reshape(-1), "some": s["a"] * s["z"]},
        [np.zeros((0, 3)), W, np.array(2.0)],
        lambda e, a, z: {"e": e, "a": a, "z": z},
        lambda r: [r["none"], r["some"]],
        lambda b: [b["e"], b["a"], b["z"]],
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def dense_blocks(case: Case) -> list[list[Array]]:
    """Blocks by complex steps, output by input."""
    columns = []
    for k, leaf in enumerate(case.leaves):
        block: list[list[Array]] = []
        for j in range(np.size(leaf)):
            moved = [np.array(other, dtype=complex) for other in case.leaves]
            moved[k].reshape(-1)[j] += 1j * COMPLEX_STEP
            result = case.outputs(case.f(case.build(*moved)))
            block.append([np.ravel(np.imag(part)) / COMPLEX_STEP for part in result])
        sizes = [np.size(part) for part in case.outputs(case.f(case.build(*case.leaves)))]
        columns.append([np.array([b[i] for b in block]).reshape(len(block), size).T for i, size in enumerate(sizes)])
    return [list(row) for row in zip(*columns, strict=True)]


def check(found: Any, case: Case, format: str = "csr") -> None:
    expected = dense_blocks(case)
    rows = case.outputs(found)
    assert len(rows) == len(expected)
    for row, blocks in zip(rows, expected, strict=True):
        parts = case.inputs(row)
        assert len(parts) == len(blocks)
        for part, block in zip(parts, blocks, strict=True):
            assert part.format == format
            assert part.dtype == np.float64
            assert part.shape == block.shape
            np.testing.assert_allclose(part.toarray(), block, rtol=1e-12, atol=1e-14)


@every_case
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_blocks(case: Case, strategy: Any) -> None:
    check(sparsejac.sparse_jacobian(case.f, case.build(*case.leaves), strategy=strategy), case)


@every_case
@pytest.mark.parametrize("format", FORMATS)
def test_blocks_of_a_plan(case: Case, format: Any) -> None:
    """Traced elsewhere, evaluated at x; the structure may be shared or not."""
    elsewhere = case.build(*(leaf * 0.0 + 0.25 for leaf in case.leaves))
    plan = sparsejac.prepare(case.f, elsewhere, format=format)
    for copy_structure in (False, True):
        check(plan(case.build(*case.leaves), copy_structure=copy_structure), case, format)
    assert plan.num_variants == 1


@every_case
def test_values_keep_their_structure(case: Case) -> None:
    x = case.build(*case.leaves)
    expected = case.outputs(case.f(x))
    for value, jacobian in (
        sparsejac.value_and_jacobian(case.f, x),
        sparsejac.prepare(case.f, x).value_and_jacobian(x),
    ):
        assert isinstance(value, type(case.f(x)))
        for found, wanted in zip(case.outputs(value), expected, strict=True):
            assert np.shape(found) == np.shape(wanted)
            np.testing.assert_allclose(found, wanted, rtol=1e-14)
        check(jacobian, case)


@every_case
def test_patterns_are_nested_like_the_blocks(case: Case) -> None:
    x = case.build(*case.leaves)
    patterns, blocks = sparsejac.jacobian_sparsity(case.f, x), sparsejac.sparse_jacobian(case.f, x)
    for row, others in zip(case.outputs(patterns), case.outputs(blocks), strict=True):
        for pattern, block in zip(case.inputs(row), case.inputs(others), strict=True):
            assert pattern == sparsejac.Pattern.from_scipy(block)


def test_blocks_hold_no_entries_of_others() -> None:
    """Entries of each block are those that the data flow gives, also by structure."""
    found = sparsejac.sparse_jacobian(flow, {"u": U, "p": 1.3})
    assert found["mass"]["u"].nnz == 8
    assert found["mass"]["p"].nnz == 4
    assert found["force"]["u"].nnz == 4
    assert found["power"]["u"].indices.tolist() == [0, 1, 2, 3, 4]


def test_the_plan_speaks_of_the_whole() -> None:
    """Pattern and values of a plan are those of all arrays side by side, in their order."""
    x = {"u": U, "p": 1.3}
    plan = sparsejac.prepare(flow, x)
    assert plan.shape == (7, 6)
    whole = plan.pattern.to_scipy().astype(float)
    whole.data = plan.values(x)
    blocks = dense_blocks(CASES["dict"])
    np.testing.assert_allclose(whole.toarray(), np.block(blocks), rtol=1e-12)


def test_pattern_and_coloring_of_the_whole_are_taken() -> None:
    x = {"a": np.array([1.0, 2.0]), "b": 3.0}

    def f(s: Any) -> Any:
        return {"y": s["a"] * s["b"], "z": s["b"] ** 2}

    pattern = sparsejac.Pattern.from_coo([0, 0, 1, 1, 2], [0, 2, 1, 2, 2], shape=(3, 3))
    for options in ({"pattern": pattern}, {"coloring": [0, 0, 1]}, {"coloring": [0, 1, 2], "strategy": "reverse"}):
        found = sparsejac.sparse_jacobian(f, x, **options)
        assert found["y"]["a"].toarray().tolist() == [[3.0, 0.0], [0.0, 3.0]]
        assert found["y"]["b"].toarray().tolist() == [[1.0], [2.0]]
        assert found["z"]["b"].toarray().tolist() == [[6.0]]
        assert found["z"]["a"].nnz == 0


@pytest.mark.parametrize("x", [[1.0, 2.0, 3.0], (1, 2, 3), [[1.0, 2.0, 3.0]], [np.float64(1.0), 2.0, 3]])
def test_lists_of_numbers_are_one_array(x: Any) -> None:
    found = sparsejac.sparse_jacobian(lambda v: v.reshape(-1)[1:] ** 2, x)
    assert found.toarray().tolist() == [[0.0, 4.0, 0.0], [0.0, 0.0, 6.0]]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: [x[0] * x[1], 3.0, x[2]],
        lambda x: (x[0] * x[1], 3.0, x[2]),
        lambda x: [[x[0] * x[1]], [np.float64(3.0)], [x[2]]],
    ],
)
def test_lists_of_numbers_as_results_are_one_array(f: Any) -> None:
    expected = [[2.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert sparsejac.sparse_jacobian(f, [1.0, 2.0, 5.0]).toarray().tolist() == expected


def test_a_result_that_mixes_arrays_and_plain_numbers() -> None:
    value, blocks = sparsejac.value_and_jacobian(lambda x: (x * 2.0, 7, np.ones((2, 1))), np.array([1.0, 2.0, 3.0]))
    assert value[1] == 7.0
    assert [block.shape for block in blocks] == [(3, 3), (1, 3), (2, 3)]
    assert [block.nnz for block in blocks] == [3, 0, 0]
    assert value[2].tolist() == [[1.0], [1.0]]


def test_empty_structures() -> None:
    assert sparsejac.sparse_jacobian(lambda x: np.ones(2), {}) == {}
    assert sparsejac.sparse_jacobian(lambda x: {}, np.ones(3)) == {}
    assert sparsejac.value_and_jacobian(lambda x: {}, {}) == ({}, {})


def test_arrays_of_x_are_apart_in_memory() -> None:
    """F may write into one array of x; the others, and those of the caller, stay what they were."""

    def f(s: Any) -> Any:
        s["a"] *= 3.0
        s["a"][0] = s["b"][1]
        s["c"] = s["b"] * 2.0
        return {"y": s["a"] + s["b"], "c": s["c"]}

    x = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    value, J = sparsejac.value_and_jacobian(f, x)
    assert sorted(x) == ["a", "b"]
    assert x["a"].tolist() == [1.0, 2.0]
    assert value["y"].tolist() == [7.0, 10.0]
    assert J["y"]["a"].toarray().tolist() == [[0.0, 0.0], [0.0, 3.0]]
    assert J["y"]["b"].toarray().tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert J["c"]["b"].toarray().tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_numbers_of_a_structure_are_numbers_for_f() -> None:
    seen: list[Any] = []

    def f(s: Any) -> Any:
        seen.append((isinstance(s["p"], float), isinstance(s["z"], np.ndarray), s["z"].shape, bool(s["n"] / 2 == 1.5)))
        return s["p"] * s["z"]

    sparsejac.sparse_jacobian(f, {"p": 2.0, "z": np.array(3.0), "n": 3})
    assert seen == [(True, True, (), True)]


def test_subclasses_of_dict_with_more_than_items_are_refused() -> None:
    class Parameters(dict):  # type: ignore[type-arg]
        """May hold anything."""

    with pytest.raises(sparsejac.InputTypeError, match="Parameters"):
        sparsejac.sparse_jacobian(lambda p: p["a"] * 2.0, Parameters(a=1.0))
    assert sparsejac.sparse_jacobian(lambda p: p["a"] * 2.0, defaultdict(float, a=1.0))["a"].data.tolist() == [2.0]


def test_dataclasses_with_further_attributes_are_refused() -> None:
    """What was computed from the fields before would be a constant."""

    @dataclass
    class Cached:
        k: float

        def __post_init__(self) -> None:
            self.square = self.k**2

    with pytest.raises(sparsejac.InputTypeError, match=r"x\['model'\]\[1\] .*Cached.*square") as caught:
        sparsejac.sparse_jacobian(lambda s: s["model"][1].square, {"model": [np.ones(2), Cached(3.0)]})
    assert "Cure" in str(caught.value)


def test_dataclasses_are_not_made_anew() -> None:
    """Their __init__, which may check or convert, does not run on traced values or on blocks."""

    @dataclass
    class Checked:
        k: float

        def __post_init__(self) -> None:
            if type(self.k) is not float:
                raise TypeError("k is no float")

    found = sparsejac.sparse_jacobian(lambda c: c.k**2, Checked(3.0))
    assert type(found) is Checked
    assert found.k.toarray().tolist() == [[6.0]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "x",
    [
        {"a": np.ones(3)},
        {"a": np.ones(3), "c": 1.0},
        {"a": np.ones(2), "b": 1.0},
        {"b": 1.0, "a": np.ones(3)},
        [np.ones(3), 1.0],
        np.ones(4),
        Pair(np.ones(3), 1.0),
    ],
    ids=["missing", "renamed", "shape", "order", "list", "array", "namedtuple"],
)
def test_a_plan_refuses_another_structure(x: Any) -> None:
    plan = sparsejac.prepare(lambda s: s["a"] * s["b"], {"a": np.ones(3), "b": 2.0})
    with pytest.raises(sparsejac.InputError, match=r"made for dict\(a: \(3,\), b: \(\)\)"):
        plan(x)


@pytest.mark.parametrize(
    ("x", "path"),
    [
        ({"a": [np.ones(2), "text"]}, r"x\['a'\]\[1\]"),
        (State(np.ones(2), None), r"x\.p"),
        (Rates(1.0, {"q": np.array([1j])}), r"x\.w\['q'\]"),
        ((np.ones(2), [[1.0], [1.0, 2.0]]), r"x\[1\]"),
    ],
)
def test_what_is_no_number_is_named_by_its_path(x: Any, path: str) -> None:
    with pytest.raises(sparsejac.SparsejacError, match=path) as caught:
        sparsejac.sparse_jacobian(lambda s: 1.0, x)
    assert "Cure" in str(caught.value)


def test_complex_parts_of_a_result_are_named() -> None:
    with pytest.raises(sparsejac.InputTypeError, match=r"complex values at \['z'\]\[1\]"):
        sparsejac.sparse_jacobian(lambda x: {"y": x, "z": (x, x * 1j)}, np.ones(3))


def test_branches_on_a_structure_are_guarded() -> None:
    """Results of another structure on another way."""

    def f(s: Any) -> Any:
        return {"up": s["a"] * s["b"]} if s["b"] > 0 else {"down": s["a"][:1], "b": s["b"]}

    plan = sparsejac.prepare(f, {"a": np.ones(2), "b": 1.0})
    assert sorted(plan({"a": np.ones(2), "b": -1.0})) == ["b", "down"]
    assert plan({"a": np.ones(2), "b": 5.0})["up"]["a"].data.tolist() == [5.0, 5.0]
    assert plan.num_variants == 2


def test_many_numbers() -> None:
    """A dict of 120 rates in and out."""
    names = [f"k{i}" for i in range(120)]
    J = sparsejac.sparse_jacobian(
        lambda k: {n: k[n] * k[m] for n, m in zip(names, names[1:] + names[:1], strict=True)},
        {n: float(i + 1) for i, n in enumerate(names)},
    )
    assert J["k7"]["k7"].toarray().tolist() == [[9.0]]
    assert J["k7"]["k8"].toarray().tolist() == [[8.0]]
    assert J["k119"]["k0"].toarray().tolist() == [[120.0]]
    assert sum(block.nnz for row in J.values() for block in row.values()) == 240
