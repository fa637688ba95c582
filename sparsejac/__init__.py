"""Sparse Jacobians of plain NumPy functions, exact to rounding.

>>> import numpy as np
>>> from sparsejac import sparse_jacobian
>>> sparse_jacobian(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0])).toarray()
array([[2., 1., 0.],
       [0., 3., 2.]])
"""

from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# `coloring` and `kernels` are also names of foreign packages: a mix-up must not surface as an obscure error later.
for _name in ("coloring", "kernels"):
    _spec = _find_spec(_name)
    _home = _Path(__file__).resolve().parent.parent
    if _spec is None or _spec.origin is None or _Path(_spec.origin).resolve().parent.parent != _home:
        _found = "nothing" if _spec is None else _spec.origin
        raise ImportError(
            f"sparsejac: the package {_name!r} that Python finds is not sparsejac's own but {_found}. Cure: remove the "
            "foreign package from this environment (or from the working directory), and install sparsejac from its "
            "checkout or wheel."
        )

from kernels.lazy import load as _load  # noqa: E402
from sparsejac.api import jacobian as jacobian  # noqa: E402
from sparsejac.api import jacobian_sparsity as jacobian_sparsity  # noqa: E402
from sparsejac.api import prepare as prepare  # noqa: E402
from sparsejac.api import sparse_jacobian as sparse_jacobian  # noqa: E402
from sparsejac.api import value_and_jacobian as value_and_jacobian  # noqa: E402
from sparsejac.errors import InputError as InputError  # noqa: E402
from sparsejac.errors import InputTypeError as InputTypeError  # noqa: E402
from sparsejac.errors import PurityWarning as PurityWarning  # noqa: E402
from sparsejac.errors import SparsejacError as SparsejacError  # noqa: E402
from sparsejac.errors import UntraceableError as UntraceableError  # noqa: E402
from sparsejac.errors import VariantWarning as VariantWarning  # noqa: E402
from sparsejac.errors import WrongJacobianError as WrongJacobianError  # noqa: E402
from sparsejac.pattern import Pattern as Pattern  # noqa: E402
from sparsejac.plan import Plan as Plan  # noqa: E402
from sparsejac.stopping import stop_gradient as stop_gradient  # noqa: E402

if _TYPE_CHECKING:
    from sparsejac.checking import Finding as Finding
    from sparsejac.checking import JacobianCheck as JacobianCheck
    from sparsejac.checking import check_jacobian as check_jacobian
    from sparsejac.custom import primitive as primitive
    from sparsejac.dependence import Dependence as Dependence

_LATE = {
    "Dependence": "sparsejac.dependence",
    "Finding": "sparsejac.checking",
    "JacobianCheck": "sparsejac.checking",
    "check_jacobian": "sparsejac.checking",
    "primitive": "sparsejac.custom",
}
"""Names that most programs never use, and where they are: imported when they are first asked for."""

__version__ = "0.1.0"

__all__ = [
    "Dependence",
    "Finding",
    "InputError",
    "InputTypeError",
    "JacobianCheck",
    "Pattern",
    "Plan",
    "PurityWarning",
    "SparsejacError",
    "UntraceableError",
    "VariantWarning",
    "WrongJacobianError",
    "check_jacobian",
    "jacobian",
    "jacobian_sparsity",
    "prepare",
    "primitive",
    "sparse_jacobian",
    "stop_gradient",
    "value_and_jacobian",
]


def __getattr__(name: str) -> _Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_load(_LATE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
