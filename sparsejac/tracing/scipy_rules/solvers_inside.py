"""Solvers of scipy that f calls on values that depend on x: refused, with what to write instead."""

from __future__ import annotations

from sparsejac.tracing.registry import REFUSALS, unfollowed

_MINIMUM = "solve the conditions of the minimum by sparsejac.implicit, or add the solution to x and them to f"
_STEPS = "write the time steps as a loop, or add the states to x and the equations of the steps to f"
_QUADRATURE = "nodes and weights of np.polynomial.legendre.leggauss, and a sum"

CURES: dict[str, dict[str, str]] = {
    "scipy.optimize": {
        **dict.fromkeys(
            [
                *("minimize", "minimize_scalar", "least_squares", "leastsq", "curve_fit", "fmin", "fmin_bfgs"),
                *("fmin_cg", "fmin_l_bfgs_b", "fminbound", "brent", "golden", "nnls", "lsq_linear", "linprog", "milp"),
                *("differential_evolution", "basinhopping", "dual_annealing", "shgo", "linear_sum_assignment"),
            ],
            _MINIMUM,
        ),
        **dict.fromkeys(["approx_fprime", "check_grad"], "take the derivative outside f, by sparse_jacobian"),
    },
    "scipy.integrate": {
        **dict.fromkeys(["solve_ivp", "odeint", "solve_bvp", "ode.set_initial_value"], _STEPS),
        **dict.fromkeys(["quad", "quad_vec", "dblquad", "tplquad", "nquad", "tanhsinh", "newton_cotes"], _QUADRATURE),
    },
    "scipy.spatial": {
        **dict.fromkeys(
            [*("KDTree.__init__", "KDTree.query", "KDTree.query_ball_point", "distance_matrix", "procrustes")],
            "scipy.spatial.distance.cdist; indices of neighbours may come from values: np.argmin is a decision",
        ),
    },
    "scipy.stats": {
        **dict.fromkeys(["gaussian_kde.__init__", "gaussian_kde.__call__"], "write the sum of the kernels"),
        **dict.fromkeys(["linregress", "pearsonr", "spearmanr", "rankdata"], "write it with sums"),
    },
    "scipy.cluster.vq": dict.fromkeys(["kmeans", "kmeans2", "vq"], "write it with cdist and np.argmin"),
}
"""Module -> function that is not followed -> what to write instead."""


_WHY = "it is an algorithm that runs on plain numbers and would lose the derivative"

for _module, _functions in CURES.items():
    for _path, _cure in _functions.items():
        unfollowed(_module, _path, why=_WHY, cure=_cure)

_SPARSE = (
    "this kind of sparse matrix cannot be made of values that depend on x",
    "collect rows, columns and values, and make csr_array((values, (rows, columns)), shape=shape)",
)
for _format in ("bsr", "dok", "lil"):
    for _name in (f"{_format}_array", f"{_format}_matrix"):
        for _path in (_name, f"{_name}.__init__", f"{_name}.__setitem__"):
            REFUSALS["scipy.sparse", _path] = _SPARSE  # found by what asks for plain numbers; no route is needed

_CONSTANT = (
    "what a constant sparse matrix holds are plain numbers",
    "add the changes as a matrix, A + csr_array((values, (rows, columns)), shape=A.shape), or diags_array(values)",
)
for _format in ("coo", "csc", "csr", "dia"):
    for _name in (f"{_format}_array", f"{_format}_matrix"):
        for _path in (f"{_name}.__setitem__", f"{_name}.setdiag"):
            REFUSALS["scipy.sparse", _path] = _CONSTANT
