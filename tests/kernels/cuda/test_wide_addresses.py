"""Places beyond 32 bits: arithmetic of 64 bits where it is needed, of 32 where it is enough."""

from __future__ import annotations

import mmap
import sys

import numpy as np
import pytest

from emulated import emulator
from gpu_sources import check_source
from kernels import Access, Affine, KernelBuilder, Launch, Schedule, Table
from kernels.address import Address
from kernels.cuda import Device, Evaluation, Module, print_module
from kernels.cuda.recorder import Task

FAR = 1 << 28
"""Distance of the places that are read; nine of them are beyond 2**31."""
PLACES = [k * FAR for k in range(9)]


def unbacked(size: int) -> np.ndarray:
    """An array of which only what is touched takes memory."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        return np.frombuffer(mmap.mmap(-1, 8 * size, flags=flags), dtype=np.float64)
    except OSError as error:
        pytest.skip(f"no address space for {8 * size} bytes: {error}")


def read(address: Address, size: int) -> tuple[Module, np.ndarray]:
    """The numbers at some places, side by side."""
    k = KernelBuilder(1)
    kernel, count = k.build(0), address.points
    stored = Affine((count,), 0, (1,))
    launch = Launch(kernel, kernel, (count,), (Access(0, address),), Access(1, stored), ())
    assert Schedule((size, count), (0,), (launch,), 1).launches
    x, out = unbacked(size), np.zeros(count)
    return print_module({"run": Evaluation([Task(launch, "value", [x, out])], [x], out)}), x


@pytest.mark.skipif(sys.platform != "linux", reason="memory is not promised without being there")
@pytest.mark.parametrize("kind", ["affine", "table"])
def test_far_places_are_read(kind: str) -> None:
    """Where 32 bits would wrap around, the numbers of the right places come; it compiles for devices."""
    far = np.array(PLACES, dtype=np.int64)
    address: Address = Affine((9,), 0, (FAR,)) if kind == "affine" else Table((9,), far)
    module, x = read(address, PLACES[-1] + 1)
    assert "i64" in module.source.split("typedef double number;")[1]
    if kind == "table":
        assert {b.dtype for b in module.buffers if b.role == "table"} == {"int64"}
    x.flags.writeable = True
    x[far] = np.arange(1.0, 10.0)
    out = np.zeros(9)
    Device(module, emulator(), block=32).run("run", [x], out)
    assert out.tolist() == list(range(1, 10))
    check_source(module.source, "sm_90")


def test_near_places_are_read_by_32_bits() -> None:
    module, _ = read(Affine((9,), 5, (3,)), 40)
    text = module.source.split("typedef double number;")[1]
    assert "i64" not in text
    assert "u64" not in text
    table, _ = read(Table((3,), np.array([7, 1, 30], dtype=np.int64)), 40)
    assert {b.dtype for b in table.buffers if b.role == "table"} == {"int32"}
    assert "__ldg" in table.source
