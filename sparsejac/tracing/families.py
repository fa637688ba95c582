"""Rules that wait: those for a library until someone has imported it, the rarer ones for NumPy until f asks for them.

Files of rules that are listed for a library declare nothing but functions of this library, and steps called by name;
what they declare is asked for only if the library is there. They are loaded before f runs, while all names of NumPy are
what they always are. Files in `AWAITED` are loaded when a table has no entry for what f calls, while names of NumPy
lead to routes: they declare functions by decorators of `registry`, which find the originals, and what else they keep of
such names hands calls of ours to the originals. All other files are loaded with the tracer.
"""

from __future__ import annotations

import sys

from kernels.lazy import load

_PLACE = "sparsejac.tracing."

LIBRARIES: dict[str, tuple[str, ...]] = {
    "cupy": ("cupy_names",),
    "cupyx": ("cupy_names",),
    "numpy.polynomial": ("numpy_rules.polynomial_series",),
    "scipy.fft": ("scipy_rules.fourier",),
    "scipy.cluster": ("scipy_rules.solvers_inside",),
    "scipy.integrate": ("scipy_rules.quadrature", "scipy_rules.solvers_inside"),
    "scipy.interpolate": (
        "scipy_rules.cubic_pieces",
        "scipy_rules.grid_interpolation",
        "scipy_rules.interpolated_data",
        "scipy_rules.interpolation",
        "scipy_rules.spline_integrals",
    ),
    "scipy.linalg": (
        "linalg.matrix_equations",
        "linalg.matrix_functions",
        "linalg.refused",
        "linalg.scipy_factorizations",
        "linalg.scipy_solving",
        "linalg.scipy_spectral",
        "linalg.structured",
    ),
    "scipy.ndimage": ("scipy_rules.filters",),
    "scipy.optimize": ("scipy_rules.root_finding", "scipy_rules.rosenbrock", "scipy_rules.solvers_inside"),
    "scipy.signal": ("scipy_rules.signals",),
    "scipy.sparse.linalg": ("linalg.refused", "linalg.sparse_solving"),
    "scipy.spatial": ("scipy_rules.distances", "scipy_rules.solvers_inside"),
    "scipy.special": ("scipy_rules.softmax", "scipy_rules.special"),
    "scipy.stats": ("scipy_rules.distributions", "scipy_rules.solvers_inside", "scipy_rules.standard_scores"),
}
"""Library -> the files with its rules, in `sparsejac.tracing`."""

AWAITED: tuple[str, ...] = (
    "numpy_rules.scans",
    "numpy_rules.putting",
    "numpy_rules.statistics",
    "numpy_rules.norms",
    "numpy_rules.differences",
    "numpy_rules.tables",
    "numpy_rules.vectors",
    "numpy_rules.padding",
    "numpy_rules.sorting",
    "numpy_rules.searching",
    "numpy_rules.numerics",
    "numpy_rules.ranges",
    "numpy_rules.nan_reductions",
    "numpy_rules.polynomials",
    "numpy_rules.quantiles",
    "numpy_rules.sets",
    "numpy_rules.histograms",
    "numpy_rules.scimath",
    "scipy_rules.complex_calls",
    "scipy_rules.fourier",
    "linalg.solving",
    "linalg.factorizations",
    "linalg.spectral",
    "linalg.singular",
)
"""Files of rules for functions, methods and ufuncs of NumPy that few f use, the more common ones first."""

HOOKS: dict[str, str] = {
    "complex_ufunc": "scipy_rules.complex_calls",
    "library_ufunc": "scipy_rules.special",
    "special": "scipy_rules.special",
}
"""Steps called by name -> the files that declare them."""

REFUSED: dict[str, tuple[str, ...]] = {"scipy.sparse": ("scipy_rules.solvers_inside",)}
"""Libraries of which a file only says why something is refused."""

_waiting = dict(LIBRARIES)
_awaited = list(AWAITED)


def load_rules() -> None:
    """Load the rules for the libraries that are there."""
    for library in [name for name in _waiting if name in sys.modules]:
        for file in _waiting.pop(library, ()):
            load(_PLACE + file)


def load_awaited(module: str) -> bool:
    """Load one more file with rules for NumPy, those for functions of `module` first; return whether there was one."""
    place = {"numpy.fft": "scipy_rules.fourier", "numpy.linalg": "linalg."}.get(module, "")
    file = next((file for file in _awaited if file.startswith(place)), next(iter(_awaited), None))
    if file is None:
        return False
    load(_PLACE + file)
    if file in _awaited:  # no other thread was faster
        _awaited.remove(file)
    return True


def load_refusals() -> None:
    """Load what is only needed to say why a call is refused."""
    for files in REFUSED.values():
        for file in files:
            load(_PLACE + file)


def load_hook(name: str) -> None:
    """Load the file that declares a step."""
    load(_PLACE + HOOKS[name])


def load_all() -> None:
    """Load all rules, whatever is there."""
    for files in (*LIBRARIES.values(), *REFUSED.values(), AWAITED):
        for file in files:
            load(_PLACE + file)
