from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernels import Access, Affine, Instruction, Kernel, KernelBuilder, Launch, Operation, Schedule, source_text
from kernels.numba_printer import VARIANTS, print_launch
from kernels.shape import lower

FREE = Operation("free", 1, np.positive, "{0}")


def shape_of(schedule, number=0):
    return lower(schedule.launches[number]).shape


def test_importing_kernels_loads_no_compiler():
    script = "import sys, kernels, kernels.products; print({'numba', 'llvmlite', 'scipy'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    output = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True).stdout
    assert output == "set()\n"


def test_the_text_reads_like_the_loop_it_is(cases):
    text = print_launch(shape_of(cases("reduced-1").schedule), "value").text
    body = text[text.index('    """') :]
    assert body == (
        '    """1-D rows, sums over 1-D: b0 unit, b0 still -> b1 unit."""\n'
        "    n1 = g[1]\n"
        "    o0 = g[2]\n"
        "    s0_0 = g[3]\n"
        "    o1 = g[4]\n"
        "    s1_0 = g[5]\n"
        "    o2 = g[6]\n"
        "    for i0 in range(np.uint64(start), np.uint64(stop)):\n"
        "        row = o2 + i0\n"
        "        total = 0.0\n"
        "        for i1 in range(n1):\n"
        "            v0 = b0[o0 + i0 * s0_0 + i1]\n"
        "            v1 = b0[o1 + i0 * s1_0]\n"
        "            v2 = v0 * v1\n"
        "            v3 = math.sin(v2)\n"
        "            total += v3\n"
        "        b1[row] = total\n"
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_text_is_python_and_named_by_its_content(case, variant):
    for launch in case.schedule.launches:
        if launch.active:
            source = print_launch(lower(launch).shape, variant)
            namespace = {}
            exec(source.text, namespace)
            assert namespace[source.name].__doc__
            assert source == print_launch(lower(launch).shape, variant)


def test_the_text_run_by_plain_python_gives_the_same_values(cases):
    case = cases("reduced-1")
    lowered, buffers, namespace = lower(case.schedule.launches[0]), case.buffers(), {}
    source = print_launch(lowered.shape, "value")
    exec(source.text, namespace)
    namespace[source.name](0, lowered.length, lowered.geometry, *(buffers[b] for b in lowered.slots), *lowered.tables)
    np.testing.assert_allclose(buffers[2], case.values[2], rtol=1e-14)


def test_offsets_strides_and_lengths_are_no_part_of_the_code(cases):
    assert shape_of(cases("elementwise-7").schedule) == shape_of(cases("elementwise-131").schedule)
    assert shape_of(cases("reduced-1").schedule) == shape_of(cases("reduced-to-scalar").schedule)
    assert shape_of(cases("ragged-32").schedule) != shape_of(cases("ragged-64").schedule)


def copy_of(kernel, address, n=3):
    launch = Launch(kernel, kernel, (n,), (Access(0, address),), Access(1, Affine((n,), 0, (1,))), ())
    return Schedule((9, n), (0,), (launch,), 1)


@pytest.mark.parametrize(("stride", "kind"), [(1, "unit"), (0, "still"), (2, "strided"), (-1, "strided")])
def test_the_innermost_stride_is_part_of_the_code(stride, kind):
    kernel = KernelBuilder(1).build(0)
    assert shape_of(copy_of(kernel, Affine((3,), 4, (stride,)))).loads[0].kind == kind


def test_the_stride_of_a_single_point_is_not(cases):
    kernel = KernelBuilder(1).build(0)
    one, two = (shape_of(copy_of(kernel, Affine((1,), 4, (stride,)), 1)) for stride in (0, 5))
    assert one == two


def test_literals_are_printed_to_the_last_bit():
    numbers = (0.1, -2.5e-300, np.inf, -np.inf, -0.0, 1e22)
    for number in numbers:
        kernel = Kernel(1, (Instruction(None, (), number), Instruction(FREE, (1,))), (2,))
        text = source_text(copy_of(kernel, Affine((3,), 0, (1,))), "value")
        (line,) = [line for line in text.splitlines() if line.strip().startswith("v1 = ")]
        found = eval(line.split("=")[1], {"np": np})
        assert float(found).hex() == float(number).hex()
    kernel = Kernel(1, (Instruction(None, (), np.nan),), (1,))
    assert "v1 = np.nan" in source_text(copy_of(kernel, Affine((3,), 0, (1,))))


def test_operations_of_one_name_with_other_code_get_other_functions():
    names = set()
    for code in ("{0}", "(-{0})"):
        kernel = Kernel(1, (Instruction(Operation("free", 1, np.positive, code), (0,)),), (1,))
        names.add(print_launch(shape_of(copy_of(kernel, Affine((3,), 0, (1,)))), "value").name)
    assert len(names) == 2


def test_the_text_of_a_schedule_holds_each_function_once(cases):
    schedule = cases("chain").schedule
    text = source_text(schedule)
    names = [line.split("(")[0] for line in text.splitlines() if line.startswith("def ")]
    assert len(names) == len(set(names))
    assert text.count("import math") == 1
    assert {name.removeprefix("def ").split("_")[0] for name in names} == set(VARIANTS)
    assert "reverse" not in source_text(schedule, "value", "forward")
