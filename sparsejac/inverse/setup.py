"""From a traced f to its inverter, with errors in terms of f."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sparsejac.inverse.inverter import Inverter, NarrowError, inverter_for
from sparsejac.inverse.messages import Teller
from sparsejac.inverse.refinement import BottleneckError
from sparsejac.inverse.selection import LumpsName, StructurallySingularError
from sparsejac.options import BackendName
from sparsejac.programs.program import Program
from sparsejac.structure import offsets_of

Floats = npt.NDArray[np.float64]


def set_up(
    teller: Teller,
    program: Program,
    constants: Sequence[Floats],
    unknowns: int,
    backend: BackendName,
    lumps: LumpsName = "auto",
    *,
    strict: bool = True,
) -> Inverter:
    """The inverter of a Program; if `strict` is not set, of one without an inverse too, for damped steps.

    Raises
    ------
    InputError
        If the Jacobian is not square.
    SingularError
        If it is singular, whatever its numbers are.
    """
    results = offsets_of(teller.result)[-1]
    if results != unknowns:
        raise teller.not_square(results, unknowns)
    try:
        return inverter_for(program, constants, backend, lumps)
    except (NarrowError, StructurallySingularError, BottleneckError) as error:
        if not strict:
            return inverter_for(program, constants, backend, strict=False)
        raise teller.singular(error) from None
