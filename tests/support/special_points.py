"""Points at which the rules of scipy.special are tried: for each function its arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparsejac.tracing.scipy_rules.special import RULES
from sparsejac.tracing.scipy_rules.special_functions import SEVERAL

REAL = [-1.3, 0.4, 2.1]
POSITIVE = [0.31, 1.7, 3.9]
UNIT = [0.13, 0.48, 0.86]
LARGER = [2.2, 1.3, 4.1]
WHOLE = np.array([0, 1, 4])
COUNTS = np.array([5, 6, 9])

POINTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        [
            *("erf", "erfc", "erfcx", "erfi", "dawsn", "expit", "log_expit", "ndtr", "log_ndtr", "expm1", "exp2"),
            *("exp10", "cosm1", "exprel", "sindg", "cosdg", "tandg", "cotdg", "wrightomega", "j0", "j1", "i0", "i1"),
            *("i0e", "i1e", "ber", "bei", "berp", "beip", "itstruve0", "itmodstruve0", "gamma", "gammaln", "rgamma"),
            *("psi", "digamma", "airy", "fresnel", "cbrt"),
        ],
        (REAL,),
    ),
    **dict.fromkeys(
        [
            *("loggamma", "log1p", "entr", "spence", "expi", "exp1", "y0", "y1", "k0", "k1", "k0e", "k1e", "ker"),
            *("kei", "kerp", "keip", "it2struve0", "airye", "itairy", "sici", "shichi", "iti0k0", "itj0y0"),
            *("it2i0k0", "it2j0y0"),
        ],
        (POSITIVE,),
    ),
    **dict.fromkeys(["erfinv", "logit", "ndtri", "ellipk", "ellipkm1", "ellipe", "kolmogi"], (UNIT,)),
    **dict.fromkeys(["jv", "jve", "yv", "yve", "iv", "ive", "kv", "kve"], ([0.0, 1.5, 2.0], POSITIVE)),
    **dict.fromkeys(["jn", "yn", "kn", "expn"], (WHOLE, POSITIVE)),
    **dict.fromkeys(["struve", "modstruve"], ([0.0, 0.5, 2.0], POSITIVE)),
    **dict.fromkeys(["beta", "betaln", "poch", "rel_entr", "kl_div"], (POSITIVE, LARGER)),
    **dict.fromkeys(["xlogy", "xlog1py", "powm1"], (POSITIVE, LARGER)),
    **dict.fromkeys(["boxcox", "boxcox1p"], (POSITIVE, [0.0, 0.3, -1.2])),
    **dict.fromkeys(["inv_boxcox", "inv_boxcox1p"], ([0.2, 0.7, 1.1], [0.0, 0.3, 1.2])),
    **dict.fromkeys(["huber", "pseudo_huber"], ([1.1, 0.8, 0.5], [0.6, -1.7, 2.4])),
    **dict.fromkeys(["betainc", "betaincc", "betaincinv", "betainccinv"], (POSITIVE, LARGER, UNIT)),
    **dict.fromkeys(["gammainc", "gammaincc"], (POSITIVE, LARGER)),
    **dict.fromkeys(["gammaincinv", "gammainccinv", "chdtri", "stdtrit"], (POSITIVE, UNIT)),
    **dict.fromkeys(["chdtr", "chdtrc", "pdtr", "pdtrc", "stdtr"], (POSITIVE, LARGER)),
    **dict.fromkeys(["gdtr", "gdtrc"], (LARGER, POSITIVE, [0.5, 0.9, 1.4])),
    **dict.fromkeys(["fdtr", "fdtrc"], (LARGER, POSITIVE, LARGER)),
    "fdtri": (LARGER, POSITIVE, UNIT),
    "pdtri": (np.array([1, 2, 3]), UNIT),
    "gdtria": (UNIT, POSITIVE, LARGER),
    "gdtrix": (LARGER, POSITIVE, UNIT),
    **dict.fromkeys(["bdtr", "bdtrc", "bdtri"], ([1.0, 2.0, 3.0], COUNTS, UNIT)),
    **dict.fromkeys(["nbdtr", "nbdtrc", "nbdtri"], (np.array([1, 2, 3]), COUNTS, UNIT)),
    "chndtr": (LARGER, POSITIVE, [0.7, 1.9, 0.3]),
    "nrdtrimn": (UNIT, POSITIVE, REAL),
    "nrdtrisd": (REAL, UNIT, LARGER),
    "tklmbda": ([-0.4, 0.3, 0.9], [0.0, 0.5, -0.7]),
    "kolmogorov": ([0.4, 0.95, 1.7],),
    "erfcinv": ([0.13, 0.9, 1.7],),
    "ndtri_exp": ([-3.1, -0.8, -0.05],),
    "owens_t": (REAL, LARGER),
    "binom": ([5.3, 2.2, 7.1], [1.4, 0.7, 3.2]),
    "voigt_profile": (REAL, POSITIVE, LARGER),
    "radian": ([12.0, 3.0, 70.0], POSITIVE, LARGER),
    "ellipkinc": ([0.4, 1.9, -4.4], UNIT),
    "ellipeinc": ([0.4, 1.9, -4.4], UNIT),
    "ellipj": (REAL, UNIT),
    "elliprc": (POSITIVE, LARGER),
    "elliprf": (POSITIVE, LARGER, UNIT),
    "hyp2f1": (POSITIVE, LARGER, [1.4, 2.9, 0.7], [-0.7, 0.3, 0.6]),
    "hyp1f1": (POSITIVE, LARGER, REAL),
    "hyp0f1": (POSITIVE, REAL),
    "hyperu": (POSITIVE, LARGER, UNIT),
    **dict.fromkeys(
        ["eval_legendre", "eval_chebyt", "eval_chebyu", "eval_chebyc", "eval_chebys", "eval_laguerre"], (WHOLE, UNIT)
    ),
    **dict.fromkeys(["eval_hermite", "eval_hermitenorm"], (WHOLE, REAL)),
    **dict.fromkeys(["eval_sh_legendre", "eval_sh_chebyt", "eval_sh_chebyu"], (WHOLE, UNIT)),
    **dict.fromkeys(["eval_gegenbauer", "eval_genlaguerre"], (WHOLE, POSITIVE, UNIT)),
    "eval_jacobi": (WHOLE, POSITIVE, LARGER, UNIT),
    "eval_sh_jacobi": (WHOLE, [3.2, 2.9, 4.5], POSITIVE, UNIT),
    "lpmv": ([0.0, 1.0, 2.0], [0.0, 2.0, 3.0], UNIT),
    "wright_bessel": (POSITIVE, LARGER, POSITIVE),
    "log_wright_bessel": (POSITIVE, LARGER, POSITIVE),
    "pbdv": ([0.5, 1.2, 2.0], REAL),
    "pbvv": ([0.5, 1.2, 2.0], REAL),
    "pbwa": ([0.5, 1.2, 2.0], [0.3, -0.7, 1.1]),
}
COMPLEX_RESULTS = {"wofz", "hankel1", "hankel2", "hankel1e", "hankel2e", "kelvin"}


def rules_of(name: str) -> Any:
    """The rules by each argument, for the first result where there are several."""
    return RULES[name][0] if name in SEVERAL else RULES[name]
