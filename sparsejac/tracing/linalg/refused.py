"""Functions of SciPy's linear algebra that are not followed, with the reason and with what to write instead."""

from __future__ import annotations

from typing import Any

from sparsejac.tracing.registry import REFUSALS, follows
from sparsejac.tracing.trace import Trace

_ITERATIVE = ("it stops by what it meets, and its result is not exact", "use scipy.sparse.linalg.spsolve(A, b)")
_PARTIAL = ("its result is found by iterations from a random start", "use np.linalg.eigh, eig or svd of a dense matrix")
_BASIS = ("any basis would do, so that it has no derivative of its own", "use np.linalg.svd or np.linalg.qr")
_NO_RULE = "there is no rule for it"
_SCHUR = (_NO_RULE, "use scipy.linalg.eigh or scipy.linalg.eig")

_REFUSED: dict[str, dict[str, tuple[str, str]]] = {
    "scipy.linalg": {
        **dict.fromkeys(["null_space", "orth"], _BASIS),
        **dict.fromkeys(["schur", "rsf2csf", "hessenberg", "qz", "ordqz", "cdf2rdf"], _SCHUR),
        **dict.fromkeys(["eig_banded", "eigvals_banded"], _SCHUR),
        **dict.fromkeys(
            ["eigh_tridiagonal", "eigvalsh_tridiagonal"],
            (_NO_RULE, "use scipy.linalg.eigvalsh(np.diag(d) + np.diag(e, 1) + np.diag(e, -1)), or eigh of it"),
        ),
        "polar": (_NO_RULE, "compose it from scipy.linalg.svd(a, full_matrices=False)"),
        "ldl": (_NO_RULE, "use scipy.linalg.lu or scipy.linalg.cholesky"),
        "cholesky_banded": (_NO_RULE, "use scipy.linalg.solveh_banded, or scipy.linalg.cholesky of the dense matrix"),
        "expm_frechet": (_NO_RULE, "use scipy.linalg.expm of np.block([[A, E], [np.zeros_like(A), A]])"),
        "expm_cond": (_NO_RULE, "use scipy.linalg.expm"),
        "fractional_matrix_power": (_NO_RULE, "use scipy.linalg.expm(p * scipy.linalg.logm(A))"),
        **dict.fromkeys(["funm", "signm", "tanm", "tanhm"], (_NO_RULE, "compose it from expm, sinm, cosm and solve")),
        **dict.fromkeys(["cossin", "subspace_angles"], (_NO_RULE, "compose it from np.linalg.svd")),
        **dict.fromkeys(["qr_multiply", "qr_insert", "qr_delete", "qr_update"], (_NO_RULE, "use scipy.linalg.qr")),
        "matmul_toeplitz": (_NO_RULE, "use scipy.linalg.toeplitz(c, r) @ x"),
        "orthogonal_procrustes": (_NO_RULE, "compose it from np.linalg.svd"),
        "matrix_balance": (_NO_RULE, "leave it out"),
        "rq": (_NO_RULE, "use scipy.linalg.qr of the matrix with its rows turned around"),
        "clarkson_woodruff_transform": (_NO_RULE, "multiply by a random matrix that was drawn outside f"),
        "fiedler_companion": (_NO_RULE, "use scipy.linalg.companion"),
        **dict.fromkeys(["bandwidth", "issymmetric", "ishermitian"], (_NO_RULE, "write it with comparisons")),
    },
    "scipy.sparse.linalg": {
        **dict.fromkeys(
            ["cg", "cgs", "bicg", "bicgstab", "gmres", "lgmres", "minres", "qmr", "gcrotmk", "tfqmr"], _ITERATIVE
        ),
        "norm": (_NO_RULE, "use np.linalg.norm(A.toarray(), ord)"),
        **dict.fromkeys(["lsqr", "lsmr"], (_ITERATIVE[0], "use np.linalg.lstsq of the dense matrix")),
        **dict.fromkeys(["eigs", "eigsh", "svds", "lobpcg"], _PARTIAL),
        **dict.fromkeys(
            [f"LinearOperator.{name}" for name in ("matvec", "matmat", "rmatvec", "rmatmat", "dot", "__mul__")]
            + ["LinearOperator.__matmul__", "LinearOperator.__call__"],
            ("what it does to a vector is not known", "write the product with NumPy, or with a sparse matrix A @ x"),
        ),
    },
}


def _refuse(module: str, name: str, why: str, cure: str) -> None:
    REFUSALS[module, name] = why, cure

    @follows(module, name)
    def follow(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        raise trace.refusal(f"{module}.{name}", why, cure)


for _module, _names in _REFUSED.items():
    for _name, (_why, _cure) in _names.items():
        _refuse(_module, _name, _why, _cure)
