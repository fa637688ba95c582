"""How much arithmetic a run takes: counted by hand for small kernels, by the printed text for elementary functions."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kernels import Access, Affine, KernelBuilder, Launch, Schedule, allocate
from kernels.cuda import Evaluation, Module, Recorder, print_module
from kernels.cuda.counting import Arithmetic
from kernels.operation import Operation

MULTIPLY = Operation("multiply", 2, np.multiply, "{0} * {1}")
ADD = Operation("add", 2, np.add, "{0} + {1}")
DIVIDE = Operation("divide", 2, np.divide, "{0} / {1}")
NEGATE = Operation("negative", 1, np.negative, "-{0}")
LARGER = Operation("maximum", 2, np.maximum, "{0} if {0} > {1} else {1}")


def printed(kernel: KernelBuilder, output: int, *, box: tuple[int, ...] = (7,), reduced: int = 0) -> Module:
    """A kernel of two loads at each point of a box, with sums over its last dimensions."""
    made = kernel.build(output)
    size = int(np.prod(box))
    strides = tuple(int(np.prod(box[axis + 1 :])) for axis in range(len(box)))
    rows = int(np.prod(box[: len(box) - reduced]))
    loads = tuple(Access(0, Affine(box, t * size, strides)) for t in range(2))
    row_box = box[: len(box) - reduced]
    stored = tuple(int(np.prod(row_box[axis + 1 :])) for axis in range(len(row_box)))
    launch = Launch(made, made, box, loads, Access(1, Affine(row_box, 0, stored)), (), reduced)
    schedule = Schedule((2 * size, rows), (0,), (launch,), 1)
    buffers = allocate(schedule)
    tasks = Recorder(schedule).value_invocations(buffers)
    return print_module({"run": Evaluation(tasks, [buffers[0]], buffers[1])})


def counted(module: Module) -> tuple[int, int]:
    found = module.runs["run"].arithmetic
    return found.additions, found.divisions


def test_operations_of_a_point() -> None:
    """(a b + a) / b at seven points; signs and choices count nothing, and nothing that no result needs."""
    k = KernelBuilder(2)
    product = k.apply(MULTIPLY, 0, 1)
    k.apply(DIVIDE, product, 0)
    chosen = k.apply(LARGER, k.apply(NEGATE, product), 0)
    assert counted(printed(k, k.apply(DIVIDE, k.apply(ADD, chosen, 0), 1))) == (2 * 7, 7)


@pytest.mark.parametrize(("box", "reduced"), [((3, 5), 1), ((2, 600), 1), ((4,), 0)])
def test_sums_add_their_terms(box: tuple[int, ...], reduced: int) -> None:
    """A product and an addition for each term; long sums are cut, and add the sums of their pieces."""
    k = KernelBuilder(2)
    additions, divisions = counted(printed(k, k.apply(MULTIPLY, 0, 1), box=box, reduced=reduced))
    points = int(np.prod(box))
    pieces = 2 * 10 if box == (2, 600) else 0
    assert (additions, divisions) == ((2 if reduced else 1) * points + pieces, 0)


@pytest.mark.parametrize("name", ["exp", "tanh", "sin", "pow"])
def test_elementary_functions_are_taken_apart(name: str) -> None:
    """As many as there are in their text, where no function calls another one."""
    arguments = "{0}, {1}" if name == "pow" else "{0}"
    operation = Operation(name, 1 + (name == "pow"), np.exp, f"elementary.{name}({arguments})")
    k = KernelBuilder(2)
    module = printed(k, k.apply(operation, *range(operation.arity)))
    lines = [line for line in module.source.splitlines() if re.match(r"\s*const double t\d+ = ", line)]
    text = "\n".join(lines)
    additions = len(re.findall(r" [-+*] ", text)) + text.count("fma(")
    found, divisions = counted(module)
    assert 0 < 7 * additions <= found or name != "exp"
    assert found % 7 == divisions % 7 == 0
    if name == "exp":
        assert (found, divisions) == (7 * additions, 0)


def test_they_add_up() -> None:
    assert Arithmetic(2, 1) + Arithmetic(3, 4).times(2) == Arithmetic(8, 9)
