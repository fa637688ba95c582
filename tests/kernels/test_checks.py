from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels import Access, Affine, NumbaExecutor, Schedule, Table


def changed(schedule, **changes):
    return replace(schedule, launches=(replace(schedule.launches[0], **changes),))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (Affine((7,), 1, (1,)), "places 1 ... 7 of buffer 0, whose size is 7"),
        (Affine((7,), 5, (-1,)), "places -1 ... 5"),
        (Affine((6,), 0, (1,)), "box"),
        (Affine((7,), 0, ()), "0 strides"),
        (Table((7,), np.array([0, 1, 2, 3, 4, 5, 7])), "places 0 ... 7"),
        (Table((7,), np.array([0, 1, 2, 3, 4, 5, -1])), "places -1 ... 5"),
        (Table((7,), np.array([0, 1])), "index table of 2 places"),
    ],
)
def test_addresses_outside_a_buffer_or_of_another_box_are_refused(cases, address, message):
    schedule = cases("elementwise-7").schedule
    with pytest.raises(ValueError, match=message):
        NumbaExecutor(changed(schedule, loads=(Access(0, address), schedule.launches[0].loads[1])))
    with pytest.raises(ValueError, match="launch 0"):
        NumbaExecutor(changed(schedule, store=Access(0, address)))


@pytest.mark.parametrize("ends", [[0, 3, 2, 9], [0, 8], [1, 9], []])
def test_ragged_rows_must_cover_the_points_in_order(cases, ends):
    schedule = cases("ragged-32").schedule
    with pytest.raises(ValueError, match="indptr"):
        NumbaExecutor(changed(schedule, indptr=np.array(ends, dtype=np.int32)))


def test_kernels_must_fit_the_loads(cases):
    schedule = cases("elementwise-7").schedule
    with pytest.raises(ValueError, match="loads"):
        NumbaExecutor(changed(schedule, loads=schedule.launches[0].loads[:1]))
    with pytest.raises(ValueError, match="output"):
        NumbaExecutor(changed(schedule, active=(0,)))
    with pytest.raises(ValueError, match="reduced=2"):
        NumbaExecutor(changed(schedule, reduced=2))


def test_an_empty_schedule_is_fine():
    NumbaExecutor(Schedule((3,), (0,), (), 0)).values([np.zeros(3)])
