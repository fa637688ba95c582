"""scipy.special: its ufuncs by the tables of derivatives, its Python functions one by one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sparsejac.tracing.base import all_plain, plain
from sparsejac.tracing.calls import stopped
from sparsejac.tracing.conversion import as_value, wrap
from sparsejac.tracing.pointwise_calls import Rule, pointwise
from sparsejac.tracing.reals import Value
from sparsejac.tracing.registry import follows, hook, unfollowed
from sparsejac.tracing.scipy_rules.special_again import AGAIN
from sparsejac.tracing.scipy_rules.special_functions import NOT_ANALYTIC, PHYSICAL, SEVERAL, STEPS
from sparsejac.tracing.scipy_rules.special_partials import ELEMENTARY, special
from sparsejac.tracing.scipy_rules.special_statistics import STATISTICAL
from sparsejac.tracing.trace import Trace

RULES: dict[str, Any] = {**ELEMENTARY, **STATISTICAL, **PHYSICAL, **SEVERAL}
"""Ufunc of scipy.special -> its partial derivatives, for each result if there are several."""

IN_KERNELS = {"expit": "logistic", "softplus": "softplus"}
"""What is a primitive, to be computed inside kernels, on numbers of double precision."""

_CURE = "write it with functions that have a rule, or give its derivative as a rule of your own"


@hook("library_ufunc")
def follow_library_ufunc(trace: Trace, ufunc: Any, inputs: tuple[Any, ...], dtype: Any) -> Any:
    """A ufunc that is not NumPy's: those of scipy.special have rules."""
    name = ufunc.__name__
    if getattr(special, name, None) is not ufunc:
        raise trace.refusal(f"the ufunc {name}", "it has no rule for values that depend on x", _CURE)
    if dtype is not None:
        raise trace.refusal(f"scipy.special.{name} with dtype=", "there is no rule for it", "leave dtype out")
    return follow_special(trace, name, *inputs)


@hook("special")
def follow_special(trace: Trace, name: str, *inputs: Any) -> Any:
    """A ufunc of scipy.special by its name."""
    if name in IN_KERNELS and _is_double(inputs[0]):
        return wrap(trace, Value(trace.apply(IN_KERNELS[name], as_value(trace, inputs[0]).real)))
    rules = RULES.get(name)
    if rules is None and name not in STEPS:
        raise trace.refusal(f"scipy.special.{name}", "there is no rule for its derivative", _CURE)
    if name in NOT_ANALYTIC and any(np.iscomplexobj(argument) for argument in inputs):
        raise trace.refusal(f"scipy.special.{name} of complex values", "it has no complex derivative", _CURE)
    ufunc = getattr(special, name)
    if rules is None:
        return stopped(trace, pointwise(trace, f"scipy.special.{name}", ufunc, [_no_slope] * len(inputs), inputs))
    return pointwise(trace, f"scipy.special.{name}", ufunc, rules, inputs, again=AGAIN.get(name))


def _is_double(x: Any) -> bool:
    return np.ndim(x) > 0 and x.dtype == np.float64


def _no_slope(y: Any, *arguments: Any) -> Any:
    return np.zeros(np.shape(y))


def _called(trace: Trace, name: str, rules: list[Rule], inputs: tuple[Any, ...], **options: Any) -> Any:
    """A Python function of scipy.special that works point by point."""
    function = partial(getattr(special, name), **options)
    return pointwise(trace, f"scipy.special.{name}", function, rules, inputs, key=tuple(sorted(options.items())))


@follows("scipy.special", "polygamma")
def _polygamma(trace: Trace, n: Any, x: Any) -> Any:
    return _called(trace, "polygamma", [None, lambda y, n, x: special.polygamma(n + 1, x)], (n, x))


@follows("scipy.special", "zeta")
def _zeta(trace: Trace, x: Any, q: Any = None, out: Any = None) -> Any:
    _without_out(trace, "zeta", out)
    if q is None:
        return _called(trace, "zeta", [None], (x,))
    return _called(trace, "zeta", [None, lambda y, x, q: -x * special.zeta(x + 1.0, q)], (x, q))


@follows("scipy.special", "lambertw")
def _lambertw(trace: Trace, z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    def slope(y: Any, z: Any, k: Any) -> Any:
        return np.exp(-y) / (1.0 + y)

    return _called(trace, "lambertw", [slope, None], (z, k), tol=float(tol))


@follows("scipy.special", "factorial")
def _factorial(trace: Trace, n: Any, exact: bool = False, extend: str = "zero") -> Any:
    _not_exact(trace, "factorial", exact)

    def slope(y: Any, n: Any) -> Any:
        return np.where((n < 0) & (extend == "zero"), 0.0, y * special.psi(n + 1.0))

    return _called(trace, "factorial", [slope], (n,), **({} if extend == "zero" else {"extend": extend}))


@follows("scipy.special", "comb")
def _comb(trace: Trace, N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    _not_exact(trace, "comb", exact)
    if repetition:
        return _comb(trace, N + k - 1, k)
    by_n, by_k = RULES["binom"]

    def inside(N: Any, k: Any, slope: Any) -> Any:
        return np.where((k <= N) & (N >= 0) & (k >= 0), slope, 0.0)

    rules: list[Rule] = [lambda y, N, k: inside(N, k, by_n(y, N, k)), lambda y, N, k: inside(N, k, by_k(y, N, k))]
    return _called(trace, "comb", rules, (N, k))


@follows("scipy.special", "perm")
def _perm(trace: Trace, N: Any, k: Any, exact: bool = False) -> Any:
    _not_exact(trace, "perm", exact)

    def by_n(y: Any, N: Any, k: Any) -> Any:
        return np.where(y == 0.0, 0.0, y * (special.psi(N + 1.0) - special.psi(N - k + 1.0)))

    def by_k(y: Any, N: Any, k: Any) -> Any:
        return np.where(y == 0.0, 0.0, y * special.psi(N - k + 1.0))

    return _called(trace, "perm", [by_n, by_k], (N, k))


def _not_exact(trace: Trace, name: str, exact: bool) -> None:
    if exact:
        raise trace.refusal(f"scipy.special.{name} with exact=True", "it counts with integers", "leave exact out")


def _without_out(trace: Trace, name: str, out: Any) -> None:
    if out is not None:
        raise trace.refusal(f"scipy.special.{name} with out=", "there is no rule for it", "assign the result")


def _order_of_derivative(name: str) -> None:
    """The derivatives of Bessel functions, of which the next one is the derivative."""

    @follows("scipy.special", name)
    def follow(trace: Trace, v: Any, z: Any, n: int = 1) -> Any:
        order = int(plain(n))
        return _called(trace, name, [None, lambda y, v, z: getattr(special, name)(v, z, order + 1)], (v, z), n=order)


for _name in ("jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"):
    _order_of_derivative(_name)


def _spherical(name: str, below: float, above: float) -> None:
    """Spherical Bessel functions: the derivative of one by its neighbours in order, which divides by no argument."""

    def second(slope: Any, n: Any, z: Any) -> Any:
        lower = np.where(n == 0, 0.0, n * getattr(special, name)(np.where(n == 0, 0, n - 1), z, True))
        upper = (n + 1.0) * getattr(special, name)(n + 1, z, True)
        return (below * lower + above * upper) / (2.0 * n + 1.0)

    @follows("scipy.special", name)
    def follow(trace: Trace, n: Any, z: Any, derivative: bool = False) -> Any:
        rule = second if derivative else lambda y, n, z: getattr(special, name)(n, z, True)
        return _called(trace, name, [None, rule], (n, z), derivative=bool(derivative))


_spherical("spherical_jn", 1.0, -1.0)
_spherical("spherical_yn", 1.0, -1.0)
_spherical("spherical_in", 1.0, 1.0)
_spherical("spherical_kn", -1.0, -1.0)


@follows("scipy.special", "softplus")
def _softplus(trace: Trace, x: Any, **options: Any) -> Any:
    if options:
        raise trace.refusal(f"scipy.special.softplus with {', '.join(options)}=", "there is no rule", "leave it out")
    if _is_double(x):
        return follow_special(trace, "softplus", x)
    return _called(trace, "softplus", [lambda y, x: special.expit(x)], (x,))


@follows("scipy.special", "multigammaln")
def _multigammaln(trace: Trace, a: Any, d: int) -> Any:
    def slope(y: Any, a: Any) -> Any:
        return sum(special.psi(a - 0.5 * j) for j in range(int(d)))

    return _called(trace, "multigammaln", [slope], (a,), d=int(d))


@follows("scipy.special", "diric")
def _diric(trace: Trace, x: Any, n: Any) -> Any:
    if not all_plain(n) or np.ndim(plain(n)) or n < 1 or n != int(n):
        raise trace.refusal(
            "scipy.special.diric", "its n is not one positive integer", "call it once for each n, with a constant n"
        )
    multiples = np.arange(int(n)) - 0.5 * (int(n) - 1)

    def slope(y: Any, x: Any) -> Any:
        return -sum(m * np.sin(m * x) for m in multiples) / len(multiples)

    return _called(trace, "diric", [slope], (x,), n=int(n))


_UNFOLLOWED = [
    "factorial2", "factorialk", "stirling2", "lmbda", "riccati_jn", "riccati_yn", "legendre_p", "legendre_p_all",
    "assoc_legendre_p", "assoc_legendre_p_all", "sph_legendre_p", "sph_legendre_p_all", "sph_harm_y", "sph_harm_y_all",
    "ellip_harm", "ellip_harm_2", "ellip_normal", "pbdv_seq", "pbvv_seq", "pbdn_seq", "lqn", "lqmn", "pro_cv_seq",
    "obl_cv_seq", "mathieu_even_coef", "mathieu_odd_coef", "clpmn", "lpmn", "lpn",
]  # fmt: skip

unfollowed("scipy.special", *_UNFOLLOWED, why="there is no rule for its derivative", cure=_CURE)
