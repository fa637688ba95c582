"""Sparse Jacobians of plain NumPy functions, exact to rounding.

>>> import numpy as np
>>> from sparsejac import sparse_jacobian
>>> sparse_jacobian(lambda x: x[1:] * x[:-1], np.array([1.0, 2.0, 3.0])).toarray()
array([[2., 1., 0.],
       [0., 3., 2.]])
"""

from importlib.util import find_spec as _find_spec
from os.path import dirname as _dirname
from os.path import realpath as _realpath
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

# `coloring` and `kernels` are also names of foreign packages: a mix-up must not surface as an obscure error later.
_home = _dirname(_dirname(_realpath(__file__)))
for _name in ("coloring", "kernels"):
    _spec = _find_spec(_name)
    if _spec is None or _spec.origin is None or _dirname(_dirname(_realpath(_spec.origin))) != _home:
        _found = "nothing" if _spec is None else _spec.origin
        raise ImportError(
            f"sparsejac: the package {_name!r} that Python finds is not sparsejac's own but {_found}. Cure: remove the "
            "foreign package from this environment (or from the working directory), and install sparsejac from its "
            "checkout or wheel."
        )

from kernels.garbage import age_all as _age_all  # noqa: E402
from kernels.garbage import rare_collections as _rare_collections  # noqa: E402
from kernels.lazy import load as _load  # noqa: E402

with _rare_collections():
    _load("sparsejac.api")
    _age_all()  # 17,000 objects that stay: to look at them twice takes a tenth of the import

from sparsejac.api import jacobian as jacobian  # noqa: E402
from sparsejac.api import jacobian_sparsity as jacobian_sparsity  # noqa: E402
from sparsejac.api import prepare as prepare  # noqa: E402
from sparsejac.api import sparse_jacobian as sparse_jacobian  # noqa: E402
from sparsejac.api import value_and_jacobian as value_and_jacobian  # noqa: E402
from sparsejac.errors import ConvergenceError as ConvergenceError  # noqa: E402
from sparsejac.errors import DeviceError as DeviceError  # noqa: E402
from sparsejac.errors import InputError as InputError  # noqa: E402
from sparsejac.errors import InputTypeError as InputTypeError  # noqa: E402
from sparsejac.errors import PurityWarning as PurityWarning  # noqa: E402
from sparsejac.errors import SingularError as SingularError  # noqa: E402
from sparsejac.errors import SparsejacError as SparsejacError  # noqa: E402
from sparsejac.errors import UntraceableError as UntraceableError  # noqa: E402
from sparsejac.errors import VariantWarning as VariantWarning  # noqa: E402
from sparsejac.errors import WrongJacobianError as WrongJacobianError  # noqa: E402
from sparsejac.patterns.pattern import Pattern as Pattern  # noqa: E402
from sparsejac.stopping import stop_gradient as stop_gradient  # noqa: E402

if _TYPE_CHECKING:
    from sparsejac.checks.check_report import Finding as Finding
    from sparsejac.checks.check_report import JacobianCheck as JacobianCheck
    from sparsejac.checks.checking import check_jacobian as check_jacobian
    from sparsejac.custom import primitive as primitive
    from sparsejac.implicit_functions.api import fixed_point as fixed_point
    from sparsejac.implicit_functions.api import implicit as implicit
    from sparsejac.inverse.api import ijvp as ijvp
    from sparsejac.inverse.api import inverse_jacfwd as inverse_jacfwd
    from sparsejac.inverse.api import inverse_jacobian as inverse_jacobian
    from sparsejac.inverse.api import inverse_jacrev as inverse_jacrev
    from sparsejac.inverse.api import ivjp as ivjp
    from sparsejac.inverse.api import linearize_inverse as linearize_inverse
    from sparsejac.inverse.api import newton_step as newton_step
    from sparsejac.inverse.api import prepare_inverse as prepare_inverse
    from sparsejac.inverse.api import slogdet as slogdet
    from sparsejac.inverse.linearization import InverseLinearization as InverseLinearization
    from sparsejac.inverse.plan import InversePlan as InversePlan
    from sparsejac.plan import Plan as Plan
    from sparsejac.products.api import gradient as gradient
    from sparsejac.products.api import hvp as hvp
    from sparsejac.products.api import jvp as jvp
    from sparsejac.products.api import linear_transpose as linear_transpose
    from sparsejac.products.api import linearize as linearize
    from sparsejac.products.api import value_and_gradient as value_and_gradient
    from sparsejac.products.api import vjp as vjp
    from sparsejac.products.dense import jacfwd as jacfwd
    from sparsejac.products.dense import jacrev as jacrev
    from sparsejac.products.hessians import hessian as hessian
    from sparsejac.products.hessians import hessian_sparsity as hessian_sparsity
    from sparsejac.products.hessians import lagrangian_hessian as lagrangian_hessian
    from sparsejac.products.hessians import prepare_hessian as prepare_hessian
    from sparsejac.products.hessians import sparse_hessian as sparse_hessian
    from sparsejac.products.linearization import Linearization as Linearization
    from sparsejac.products.nlp import NLP as NLP
    from sparsejac.products.nlp import prepare_nlp as prepare_nlp
    from sparsejac.products.operators import gauss_newton_operator as gauss_newton_operator
    from sparsejac.products.operators import hessian_operator as hessian_operator
    from sparsejac.products.operators import jacobian_operator as jacobian_operator
    from sparsejac.reports.dependence import Dependence as Dependence

_LATE = {
    "Dependence": "sparsejac.reports.dependence",
    "Finding": "sparsejac.checks.check_report",
    "InverseLinearization": "sparsejac.inverse.linearization",
    "InversePlan": "sparsejac.inverse.plan",
    "JacobianCheck": "sparsejac.checks.check_report",
    "Linearization": "sparsejac.products.linearization",
    "NLP": "sparsejac.products.nlp",
    "Plan": "sparsejac.plan",
    "check_jacobian": "sparsejac.checks.checking",
    "fixed_point": "sparsejac.implicit_functions.api",
    "gauss_newton_operator": "sparsejac.products.operators",
    "gradient": "sparsejac.products.api",
    "hessian": "sparsejac.products.hessians",
    "hessian_operator": "sparsejac.products.operators",
    "hessian_sparsity": "sparsejac.products.hessians",
    "hvp": "sparsejac.products.api",
    "ijvp": "sparsejac.inverse.api",
    "implicit": "sparsejac.implicit_functions.api",
    "inverse_jacfwd": "sparsejac.inverse.api",
    "inverse_jacobian": "sparsejac.inverse.api",
    "inverse_jacrev": "sparsejac.inverse.api",
    "ivjp": "sparsejac.inverse.api",
    "jacfwd": "sparsejac.products.dense",
    "jacobian_operator": "sparsejac.products.operators",
    "jacrev": "sparsejac.products.dense",
    "jvp": "sparsejac.products.api",
    "lagrangian_hessian": "sparsejac.products.hessians",
    "linear_transpose": "sparsejac.products.api",
    "linearize": "sparsejac.products.api",
    "linearize_inverse": "sparsejac.inverse.api",
    "newton_step": "sparsejac.inverse.api",
    "prepare_inverse": "sparsejac.inverse.api",
    "prepare_hessian": "sparsejac.products.hessians",
    "prepare_nlp": "sparsejac.products.nlp",
    "primitive": "sparsejac.custom",
    "slogdet": "sparsejac.inverse.api",
    "sparse_hessian": "sparsejac.products.hessians",
    "value_and_gradient": "sparsejac.products.api",
    "vjp": "sparsejac.products.api",
}
"""Names that most programs never use, and where they are: imported when they are first asked for."""

__version__ = "0.1.0"

__all__ = [
    "NLP",
    "ConvergenceError",
    "Dependence",
    "DeviceError",
    "Finding",
    "InputError",
    "InputTypeError",
    "InverseLinearization",
    "InversePlan",
    "JacobianCheck",
    "Linearization",
    "Pattern",
    "Plan",
    "PurityWarning",
    "SingularError",
    "SparsejacError",
    "UntraceableError",
    "VariantWarning",
    "WrongJacobianError",
    "check_jacobian",
    "fixed_point",
    "gauss_newton_operator",
    "gradient",
    "hessian",
    "hessian_operator",
    "hessian_sparsity",
    "hvp",
    "ijvp",
    "implicit",
    "inverse_jacfwd",
    "inverse_jacobian",
    "inverse_jacrev",
    "ivjp",
    "jacfwd",
    "jacobian",
    "jacobian_operator",
    "jacobian_sparsity",
    "jacrev",
    "jvp",
    "lagrangian_hessian",
    "linear_transpose",
    "linearize",
    "linearize_inverse",
    "newton_step",
    "prepare",
    "prepare_hessian",
    "prepare_inverse",
    "prepare_nlp",
    "primitive",
    "slogdet",
    "sparse_hessian",
    "sparse_jacobian",
    "stop_gradient",
    "value_and_gradient",
    "value_and_jacobian",
    "vjp",
]


def __getattr__(name: str) -> _Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(_load(_LATE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})
