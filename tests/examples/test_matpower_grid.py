from __future__ import annotations

import cmath
import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matpowercaseframes import CaseFrames

from matpower_grid import CaseError, Grid, case_names, find_case, load_grid, number

if TYPE_CHECKING:
    from pathlib import Path

# Gaps in the numbering, taps, a phase shifter, shunts, everything that can be out of service, a bus 9 cut off, a PV bus
# without generator (30), and a fraction.
SMALL = """function mpc = small
mpc.version = '2';
mpc.baseMVA = 50;
mpc.bus = [
    40  3  0     0    0    0   1  1.02  5    20  1  1.1  0.9;
    7   1  50/3  5.5  1.5  -8  1  0.99  -1   20  1  1.1  0.9;
    9   4  11    2    3    4   1  1     0    20  1  1.1  0.9;
    30  2  4     1    0    0   1  0.98  -2   20  1  1.1  0.9;
    12  2  0     0    0    6   1  1.01  2.5  20  1  1.1  0.9;
];
mpc.gen = [
    40  0   0  99  -99  1.03  50  1  99  0;
    12  20  3  99  -99  1.04  50  1  99  0;
    12  6   1  99  -99  1.04  50  1  99  0;
    30  77  7  99  -99  1.05  50  0  99  0;
    9   88  8  99  -99  1.06  50  1  99  0;
];
mpc.branch = [
    40  7   0.01   0.05  0.02  0  0  0  0     0    1  -360  360;
    7   30  0.02   0.08  0.04  0  0  0  0     0    1  -360  360;
    30  12  0.005  0.09  0     0  0  0  0.95  -30  1  -360  360;
    12  40  0      0.11  0.01  0  0  0  1.04  0    1  -360  360;
    12  40  0.03   0.12  0.01  0  0  0  0     10   1  -360  360;
    40  30  0.01   0.02  0.03  0  0  0  0     0    0  -360  360;
    7   9   0.01   0.02  0.03  0  0  0  0     0    1  -360  360;
];
"""


@pytest.fixture
def small_case(tmp_path: Path) -> str:
    path = tmp_path / "small.m"
    path.write_text(SMALL)
    return str(path)


def power_out_of_each_bus(path: str, voltages: dict[int, complex]) -> dict[int, complex]:
    """Follow the currents through every branch and shunt of the raw tables, one by one; in per unit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frames = CaseFrames(path, update_index=False)
    current = dict.fromkeys(voltages, 0j)
    for row in frames.branch.to_dict("records"):
        start, end = int(row["F_BUS"]), int(row["T_BUS"])
        if row["BR_STATUS"] == 0 or start not in voltages or end not in voltages:
            continue
        ratio = (row["TAP"] or 1.0) * cmath.exp(1j * math.radians(row["SHIFT"]))
        inner = voltages[start] / ratio  # behind the ideal transformer, which neither stores nor loses power
        through = (inner - voltages[end]) / complex(row["BR_R"], row["BR_X"])
        charging = 0.5j * row["BR_B"]
        current[start] += (through + charging * inner) / ratio.conjugate()
        current[end] += charging * voltages[end] - through
    power = {bus: voltages[bus] * current[bus].conjugate() for bus in voltages}
    for row in frames.bus.to_dict("records"):
        if (bus := int(row["BUS_I"])) in voltages:
            power[bus] += abs(voltages[bus]) ** 2 * complex(float(row["GS"]), -float(row["BS"])) / float(frames.baseMVA)
    return power


def assert_balances_branch_by_branch(grid: Grid, path: str) -> None:
    random = np.random.default_rng(7)
    V = random.uniform(0.9, 1.1, grid.Vm.size) * np.exp(1j * random.uniform(-1, 1, grid.Vm.size))
    expected = power_out_of_each_bus(path, dict(zip(grid.bus_numbers.tolist(), V.tolist(), strict=True)))
    np.testing.assert_allclose(
        V * np.conj(grid.Ybus @ V), [expected[bus] for bus in grid.bus_numbers.tolist()], rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("case", ["case9", "case14", "case30", "case300", "case89pegase"])
def test_ybus_gives_the_power_of_every_branch_and_shunt(case: str) -> None:
    assert_balances_branch_by_branch(load_grid(case), str(find_case(case)))


def test_ybus_of_a_case_with_everything(small_case: str) -> None:
    grid = load_grid(small_case)
    assert grid.Ybus.shape == (4, 4)
    assert_balances_branch_by_branch(grid, small_case)


def test_bus_types_numbers_and_voltages(small_case: str) -> None:
    grid = load_grid(small_case)
    assert grid.bus_numbers.tolist() == [40, 7, 30, 12]  # the isolated bus 9 is gone
    assert grid.ref.tolist() == [0]
    assert grid.pv.tolist() == [3]
    assert grid.pq.tolist() == [1, 2]  # bus 30 has lost its generator
    assert grid.Vm.tolist() == [1.03, 0.99, 0.98, 1.04]  # set points where a generator holds the voltage
    np.testing.assert_allclose(grid.Va, np.radians([5, -1, -2, 2.5]))


def test_injections_are_generation_less_load(small_case: str) -> None:
    expected = np.array([0, -50 / 3 - 5.5j, -4 - 1j, 26 + 4j]) / 50
    np.testing.assert_allclose(load_grid(small_case).Sbus, expected, rtol=1e-15)


def test_first_pv_bus_stands_in_for_a_missing_slack(small_case: str, tmp_path: Path) -> None:
    path = tmp_path / "no_slack.m"
    path.write_text(SMALL.replace("40  0   0  99  -99  1.03  50  1", "40  0   0  99  -99  1.03  50  0"))
    grid = load_grid(str(path))
    assert grid.ref.tolist() == [3]
    assert grid.pv.tolist() == []
    assert grid.pq.tolist() == [0, 1, 2]
    assert load_grid(small_case).ref.tolist() == [0]


def test_no_generator_in_service_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dead.m"
    path.write_text(SMALL.replace("50  1  99  0;", "50  0  99  0;"))
    with pytest.raises(CaseError, match="no generator is in service"):
        load_grid(str(path))


def test_unknown_case_is_answered_with_near_names() -> None:
    with pytest.raises(CaseError, match=r"no case 'case13659pegas'.*near it are case13659pegase"):
        load_grid("case13659pegas")
    with pytest.raises(CaseError, match=r"no case 'zebra' among MATPOWER's \d+; they are case\w*, .*case9\b"):
        load_grid("zebra")


def test_tables_computed_by_matlab_are_refused() -> None:
    with pytest.raises(CaseError, match=r"case33bw computes its tables by MATLAB statements \(mpc.branch"):
        load_grid("case33bw")


def test_names_and_numbers() -> None:
    assert {"case9", "case118", "case13659pegase"} <= set(case_names())
    assert number("50/3") == 50 / 3
    assert number("-1.5e-3") == -0.0015
    assert number(4) == 4.0
