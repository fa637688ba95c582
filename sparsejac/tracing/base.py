"""What traced arrays and traced scalars share: operators through ufuncs, and loud refusals."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from sparsejac.errors import UntraceableError
from sparsejac.location import at_item_assignment, called_library, called_text, is_written_by_user
from sparsejac.tracing.families import load_refusals
from sparsejac.tracing.registry import HOOKS, REFUSALS

if TYPE_CHECKING:
    from sparsejac.tracing.trace import Trace

SAME_AS_FUNCTIONS = frozenset(
    name
    for name in (
        *("all", "any", "argmax", "argmin", "argpartition", "argsort", "clip", "conj", "conjugate"),
        *("cumprod", "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "ptp", "repeat", "round"),
        *("choose", "searchsorted", "squeeze", "std"),
        *("sum", "swapaxes", "take", "trace", "var"),
    )
    if hasattr(np.ndarray, name)  # NumPy 2 took some away: hasattr must say of our arrays what it says of NumPy's
)
"""Methods that do just what the NumPy function of the same name does."""

_AS_IT_IS = (
    "use the value as it is (NumPy, math and item assignment take it), make buffers inside f by np.zeros, np.empty or "
    "np.array, and give compiled functions a rule by sparsejac.primitive"
)
_LOSES = "a plain number would lose the derivative with respect to x"
_ASKED = "it asks for plain numbers, and a value that depends on x would lose its derivative"
_AROUND = (
    "write a function around it, such as lambda x: A.dot(x), in which what NumPy and SciPy do is followed; if that is "
    "refused, write it with functions of NumPy, or give it a rule by sparsejac.primitive"
)
FOLLOWED = (
    "inside f use jvp, vjp, linearize, gradient, hvp, jacfwd, jacrev, hessian, ivjp or implicit of the function "
    "itself, which are followed"
)
OF_OBJECTS = (
    "NumPy makes an array of objects of a list of traced arrays: give an array in its place, "
    "np.maximum.reduce(np.array([a, b]))"
)
_SINGLE = frozenset([int, float, complex, bool, str, bytes, type(None), np.float64, np.int64, np.bool_])
"""Types of objects that hold nothing, which arguments often are; there are others."""

_ROTATED = (
    "a constant rotation of v is v @ rotation.as_matrix().T; one by a vector r that depends on x is v + np.sin(t) / t "
    "* np.cross(r, v) + (1 - np.cos(t)) / t**2 * np.cross(r, np.cross(r, v)) with t = np.linalg.norm(r)"
)
_BY_QUATERNION = (
    "v + 2 * np.cross(q[:3], np.cross(q[:3], v) + q[3] * v) is v rotated by the quaternion q of length 1, whose scalar "
    "is q[3]"
)
_OF_LIBRARIES = {
    r"^(pandas|xarray)\.": "compute with ordinary arrays: series.to_numpy() outside f gives one of constants",
    r"^np\._": f"np.mean(a) in the place of a.mean(); {OF_OBJECTS}",
    r"^np\.ma\.": "np.where(mask, 0.0, x) in the place of a masked array, or what is left: x[~mask]",
    r"^np\.polynomial\.": "np.polynomial.polynomial.polyval(t, coefficients) and its kin, polyfit, polyder, polymul, "
    "chebval, legfit ..., which take values of x",
    r"^sparsejac\.(Plan|NLP|Inverse|prepare|jacobian|value_and_jacobian|check_jacobian)": FOLLOWED,
    r"Rotation\.from_quat": _BY_QUATERNION,
    r"Rotation\.": _ROTATED,
    r"as_strided$": "np.lib.stride_tricks.sliding_window_view(x, width), or a table of places: x[places]",
    r"^np\.testing\.": "assert np.allclose(a, b), which is a decision",
    r"^np\.format_float": "print(f'{value:.6f}') and other text for people, which nothing is computed from",
    r"NearestNDInterpolator$": "values[scipy.spatial.KDTree(places).query(points)[1]]",
    r"NDInterpolator$|2DInterpolator$": "find the simplex of a point with scipy.spatial.Delaunay, and write the "
    "weights of its corners",
    "": "write it with functions of NumPy, or give it a rule of its own by sparsejac.primitive",
}
"""Name of a library's function -> the cure."""
_OF_COMPILED = {
    r"\.choice$": "draw places and take them: x[generator.choice(len(x), count)]",
    r"\.(permutation|permuted)$": "draw places and take them: x[generator.permutation(len(x))]",
    r"\.from_quat$": _BY_QUATERNION,
    r"\.from_(rotvec|euler|matrix|mrp)$": _ROTATED,
    r"cKDTree|\.query(_\w+)?$": "scipy.spatial.distance.cdist; indices of neighbours may come from values: np.argmin "
    "is a decision",
    r"\.astype$": "np.array(values.tolist()) makes an ordinary array of one of objects",
    r"^np\.arange$": "start + step * np.arange(count) with a count that is an integer; int(...) makes it a decision",
    r"^np\.logical_": OF_OBJECTS,
    r"^np\.random\.": "draw with constant parameters, outside f if the numbers shall stay: mean + sigma * noise",
    r"^np\.": _AS_IT_IS,
    r"\.dot$": "use A @ x or np.dot(A, x)",
    r"\.(lapack|blas)\.": "np.linalg.solve(A, b), np.linalg.cholesky(A), A @ x and their kin",
    r"\.(Delaunay|ConvexHull|Voronoi)$": "make it of constant points outside f, and take points[simplices] of x",
    "": _OF_LIBRARIES[""],
}
"""What a call looks like -> the cure."""

_MATRICES = ("sparse_jacobian", "sparse_hessian", "lagrangian_hessian", "jacobian_operator", "gauss_newton_operator")
for _name in (*_MATRICES, "hessian_operator", "hessian_sparsity", "jacobian_sparsity"):
    REFUSALS["sparsejac", _name] = (
        "it is called inside f at a point that depends on x, and what it returns does not follow x",
        "call it at a constant point, or use jvp, vjp, gradient, hvp, jacfwd, jacrev or hessian, which are followed",
    )


def leaves_to(kind: type, mirror: str) -> bool:
    """Whether NumPy's arrays leave an operator to objects of a class on their right, which have its `mirror`."""
    if hasattr(kind, "__array_ufunc__"):
        return kind.__array_ufunc__ is None
    priority = getattr(kind, "__array_priority__", 0.0)
    comes_first = isinstance(priority, float | int) and priority > 0.0 and hasattr(kind, mirror)
    return comes_first and is_written_by_user(getattr(kind, mirror))


def _leaving(name: str, ufunc: Any) -> Callable[[Any, Any], Any]:
    """An operator by a ufunc, which some classes on its right take over."""
    mirror = f"__r{name}__"

    def forward(self: Any, other: Any) -> Any:
        kind = type(other)
        return NotImplemented if kind not in _SINGLE and leaves_to(kind, mirror) else ufunc(self, other)

    return forward


def computes_itself(kind: type) -> bool:
    """Whether a class of the user's says what ufuncs and functions of NumPy do with its objects, which are no arrays.

    >>> computes_itself(np.ndarray)
    False
    """
    if kind in _SINGLE or issubclass(kind, (TracedBase, np.ndarray, np.generic)):
        return False
    rules = (getattr(kind, name, None) for name in ("__array_ufunc__", "__array_function__"))
    return any(is_written_by_user(rule) for rule in rules if rule is not None)


class TracedBase(NDArrayOperatorsMixin):
    """A duck array or a duck scalar of one trace."""

    __slots__ = ("tracer",)
    __array_priority__ = 1000.0
    tracer: Trace

    @property
    @abstractmethod
    def is_plain(self) -> bool:
        """Whether nothing of it depends on x."""

    @property
    @abstractmethod
    def plain_form(self) -> npt.NDArray[Any]:
        """The ordinary array that a plain one stands for; refused for all others."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return HOOKS["ufunc"](self._trace_of((inputs, kwargs)), ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(map(computes_itself, types)):
            return NotImplemented
        return HOOKS["function"](self._trace_of((args, kwargs)), func, args, kwargs)

    def _trace_of(self, arguments: Any) -> Trace:
        """The trace that a call belongs to: a plain array may be left from an earlier one."""
        return owner(arguments) or self.tracer if self.is_plain else self.tracer

    def _lossy(self, what: str, cure: str = "") -> UntraceableError:
        """The refusal to become a plain number."""
        library = called_library()
        if library is not None and library[0] == "sparsejac" and not is_written_by_user(self.tracer.function):
            return self.tracer.refusal(f"{_named(self.tracer.function)} as f", _ASKED, _AROUND)
        if library is not None:
            load_refusals()
            name = ".".join(library).replace("numpy.", "np.", 1).removesuffix(".__init__").removesuffix(".__new__")
            if "<locals>" in name:  # what a decorator of the library made
                name = called_text() or name
            return self.tracer.refusal(name, *REFUSALS.get(library, (_ASKED, _cure(_OF_LIBRARIES, name))))
        if at_item_assignment():
            return self.tracer.outside_write(
                "item assignment of a value that depends on x into an ordinary array",
                "the array was not made inside f, and would lose the derivative with respect to x",
                "make the buffer by a call of np.zeros(n), np.empty(n) or np.array(a) inside f, one for each field of "
                "an array with fields; if it is an argument for the result, pass out_argument= and out_like=",
            )
        compiled = called_text()
        if compiled and not cure:
            return self.tracer.refusal(compiled, _ASKED, _cure(_OF_COMPILED, compiled))
        return self.tracer.refusal(what, _LOSES, cure or _AS_IT_IS)

    def __eq__(self, other: Any) -> Any:
        return _never(self) if other is None or isinstance(other, str) else super().__eq__(other)

    def __ne__(self, other: Any) -> Any:
        return ~_never(self) if other is None or isinstance(other, str) else super().__ne__(other)

    __add__, __sub__ = _leaving("add", np.add), _leaving("sub", np.subtract)
    __mul__, __truediv__ = _leaving("mul", np.multiply), _leaving("truediv", np.true_divide)
    __floordiv__, __mod__ = _leaving("floordiv", np.floor_divide), _leaving("mod", np.remainder)
    __pow__ = _leaving("pow", np.power)

    def __divmod__(self, other: Any) -> Any:
        kind = type(other)
        if kind not in _SINGLE and leaves_to(kind, "__rdivmod__"):
            return NotImplemented
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __complex__(self) -> complex:
        raise self._lossy("complex() of a value that depends on x")

    def __reduce__(self) -> Any:
        raise self._lossy("pickling of a value that depends on x", "use copy.deepcopy, or pass the value on as it is")


def _never(number: Any) -> Any:
    """False for each element: no number is None, and none is text."""
    return np.zeros(number.shape, dtype=bool)[()]


def _named(function: Any) -> str:
    """A library's function by its name, an object that can be called by its type's."""
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"


def _cure(cures: dict[str, str], name: str) -> str:
    """The first cure whose pattern is found in a name."""
    return next(cure for pattern, cure in cures.items() if re.search(pattern, name))


SEQUENCES = (list, tuple, deque)
"""What NumPy makes one array of, and may hold values that depend on x."""


def is_traced(obj: Any) -> bool:
    """Whether an object is one of ours (and may hold traced values)."""
    return issubclass(type(obj), TracedBase)


def all_plain(obj: Any) -> bool:
    """Whether nothing inside nested lists, tuples and dicts depends on x."""
    kind = type(obj)
    if kind in _SINGLE:
        return True
    if issubclass(kind, TracedBase):
        return bool(obj.is_plain)
    if kind is np.ndarray:
        return all_plain(obj.tolist()) if obj.dtype.kind == "O" else True
    return all(map(all_plain, items_of(obj)))


def owner(obj: Any) -> Trace | None:
    """The trace of the first value inside nested lists, tuples and dicts that depends on x."""
    kind = type(obj)
    if kind in _SINGLE:
        return None
    if issubclass(kind, TracedBase):
        return None if obj.is_plain else obj.tracer
    if kind is np.ndarray:
        return owner(obj.tolist()) if obj.dtype.kind == "O" else None
    for item in items_of(obj):
        found = owner(item)
        if found is not None:
            return found
    return None


def items_of(obj: Any) -> Iterable[Any]:
    """What is inside a list, a tuple or a dict; nothing for all else."""
    inside: Iterable[Any] = obj if isinstance(obj, SEQUENCES) else obj.values() if isinstance(obj, dict) else ()
    return inside


def given_as_array(obj: Any) -> Any:
    """What an object of a class of the user's gives as an array, which may depend on x; all else as it is."""
    kind = type(obj)
    if kind in _SINGLE or issubclass(kind, (TracedBase, np.ndarray, np.generic, list, tuple)):
        return obj
    convert = getattr(kind, "__array__", None)
    return obj.__array__() if convert is not None and is_written_by_user(convert) else obj


def plain(obj: Any) -> Any:
    """The same with plain traced arrays replaced by the ordinary arrays that they are; others are refused."""
    if issubclass(type(obj), TracedBase):
        return obj.plain_form
    if type(obj) is tuple:
        return tuple(plain(item) for item in obj)
    if type(obj) is list:
        return [plain(item) for item in obj]
    return {key: plain(item) for key, item in obj.items()} if type(obj) is dict else obj


def given(obj: Any) -> bool:
    """Whether an optional argument was given: neither None nor NumPy's mark for what is missing."""
    return obj is not None and obj is not np._NoValue
