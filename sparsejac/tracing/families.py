"""Rules that wait: those for a library are loaded when someone has imported it.

Files of rules that are listed here declare nothing but functions of their libraries, and steps called by name; what
they declare is asked for only if the library is there. All others are loaded with the tracer. Rules are loaded before
f runs, while all names of NumPy are what they always are; but for steps and refusals, which bind none of these names.
"""

from __future__ import annotations

import sys

from kernels.lazy import load

_PLACE = "sparsejac.tracing."

LIBRARIES: dict[str, tuple[str, ...]] = {
    "cupy": ("cupy_names",),
    "cupyx": ("cupy_names",),
    "numpy.polynomial": ("numpy_rules.polynomial_series",),
    "scipy.cluster": ("scipy_rules.solvers_inside",),
    "scipy.integrate": ("scipy_rules.quadrature", "scipy_rules.solvers_inside"),
    "scipy.interpolate": (
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
    "scipy.optimize": ("scipy_rules.root_finding", "scipy_rules.solvers_inside"),
    "scipy.signal": ("scipy_rules.signals",),
    "scipy.sparse.linalg": ("linalg.refused", "linalg.sparse_solving"),
    "scipy.spatial": ("scipy_rules.distances", "scipy_rules.solvers_inside"),
    "scipy.special": ("scipy_rules.softmax", "scipy_rules.special"),
    "scipy.stats": ("scipy_rules.distributions", "scipy_rules.solvers_inside"),
}
"""Library -> the files with its rules, in `sparsejac.tracing`."""

HOOKS: dict[str, str] = {"library_ufunc": "scipy_rules.special", "special": "scipy_rules.special"}
"""Steps called by name -> the files that declare them."""

REFUSED: dict[str, tuple[str, ...]] = {"scipy.sparse": ("scipy_rules.solvers_inside",)}
"""Libraries of which a file only says why something is refused."""

_waiting = dict(LIBRARIES)


def load_rules() -> None:
    """Load the rules for the libraries that are there."""
    for library in [name for name in _waiting if name in sys.modules]:
        for file in _waiting.pop(library, ()):
            load(_PLACE + file)


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
    for files in (*LIBRARIES.values(), *REFUSED.values()):
        for file in files:
            load(_PLACE + file)
