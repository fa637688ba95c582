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
        "spearmanr": "np.corrcoef of ranks, which are constant",
        "rankdata": "1 + np.argsort(np.argsort(a)), which is a decision",
        "linregress": "slope and intercept are np.polyfit(t, a, 1)",
        "pearsonr": "write np.corrcoef(t, a)[0, 1]",
        "gmean": "write np.exp(np.mean(np.log(a), axis=0))",
        "hmean": "write 1.0 / np.mean(1.0 / a, axis=0)",
        "pmean": "write np.mean(a**p, axis=0) ** (1.0 / p)",
        "tmean": "write np.mean(a), of what lies within the limits",
        "trim_mean": "write np.mean(np.sort(a, axis=0)[k : len(a) - k], axis=0), where k are left out at both ends",
        "sem": "write np.std(a, axis=0, ddof=1) / np.sqrt(len(a))",
        "variation": "write np.std(a, axis=0) / np.mean(a, axis=0)",
        "moment": "write np.mean((a - np.mean(a, axis=0)) ** order, axis=0)",
        "skew": "write np.mean(scipy.stats.zscore(a) ** 3, axis=0)",
        "kurtosis": "write np.mean(scipy.stats.zscore(a) ** 4, axis=0) - 3.0",
        "iqr": "write np.subtract(*np.quantile(a, [0.75, 0.25]))",
        "median_abs_deviation": "write np.median(np.abs(a - np.median(a, axis=0)), axis=0)",
        "entropy": "write np.sum(scipy.special.entr(a / np.sum(a, axis=0)), axis=0)",
        "ttest_1samp": "its statistic is (np.mean(a, axis=0) - mean) / (np.std(a, axis=0, ddof=1) / np.sqrt(len(a)))",
        "circmean": "write np.angle(np.mean(np.exp(1j * a))) % (2.0 * np.pi)",
        "boxcox": "with a given lambda, write scipy.special.boxcox(a, lmbda)",
        "describe": "write np.mean(a, axis=0), np.var(a, axis=0, ddof=1) and their kin",
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
