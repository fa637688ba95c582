"""Examples for the calls of SciPy that the table of calls counts as supported; see `call_examples`."""

from __future__ import annotations

import call_examples

_OF_ONE_NUMBER = """
erf erfc erfcx erfi erfinv erfcinv dawsn wofz gamma gammaln loggamma rgamma psi digamma expit logit log_expit ndtr ndtri
log_ndtr log1p expm1 exp2 exp10 cosm1 exprel cbrt entr sindg cosdg tandg cotdg spence wrightomega expi exp1 kolmogorov
kolmogi j0 j1 y0 y1 i0 i1 i0e i1e k0 k1 k0e k1e itstruve0 itmodstruve0 it2struve0 ber bei ker kei berp beip kerp keip
ellipk ellipkm1 ellipe airy airye itairy fresnel sici shichi iti0k0 itj0y0 it2i0k0 it2j0y0 kelvin gammasgn softplus
lambertw factorial logsumexp softmax log_softmax
"""

_WITH_AN_ORDER = """
jv jn jve yv yn yve iv ive kv kn kve hankel1 hankel2 hankel1e hankel2e struve modstruve eval_legendre eval_sh_legendre
eval_chebyt eval_chebyu eval_chebyc eval_chebys eval_sh_chebyt eval_sh_chebyu eval_laguerre eval_hermite
eval_hermitenorm expn pbdv pbvv pbwa polygamma jvp yvp ivp kvp h1vp h2vp spherical_jn spherical_yn spherical_in
spherical_kn gammainc gammaincc gammaincinv gammainccinv chdtr chdtrc chdtri pdtr pdtrc pdtri hyp0f1
"""

SPECIAL = "\n".join(
    [
        *(f"{name}(0.8 * x)" for name in _OF_ONE_NUMBER.split()),
        *(f"{name}(2, 0.9 * x)" for name in _WITH_AN_ORDER.split()),
    ]
)

SPECIAL += """
round(3.0 * x)
ndtri_exp(-x)
voigt_profile(x, y, 0.4 + x)
beta(x, y)
betaln(x, y)
binom(3.2 + x, 0.7 + y)
poch(x, y)
xlogy(x, y)
xlog1py(x, y)
powm1(x, y)
rel_entr(x, y)
kl_div(x, y)
huber(0.5, 2.0 * x)
pseudo_huber(0.5, x)
boxcox(x, y)
boxcox1p(x, y)
inv_boxcox(x, y)
inv_boxcox1p(x, y)
radian(x, y, 30.0 * x)
owens_t(x, y)
betainc(1.5, 2.5, x)
betaincc(1.5, 2.5, x)
betaincinv(1.5, 2.5, x)
betainccinv(1.5, 2.5, x)
tklmbda(0.5 * x, 0.5)
chndtr(2.0 * x, 3.0, 0.5 + y)
gdtr(x, 1.5, y)
gdtrc(x, 1.5, y)
gdtria(0.9 * x, 1.5, 2.0 * y)
gdtrix(x, 1.5, 0.9 * y)
fdtr(3.0, 4.0, x)
fdtrc(3.0, 4.0, x)
fdtri(3.0, 4.0, 0.9 * x)
stdtr(3.0, x)
stdtrit(3.0, 0.9 * x)
bdtr(1, 4, x)
bdtrc(1, 4, x)
bdtri(1, 4, 0.9 * x)
nbdtr(2, 3, x)
nbdtrc(2, 3, x)
nbdtri(2, 3, 0.9 * x)
nrdtrimn(0.9 * x, 1.0 + y, x)
nrdtrisd(0.2 + x, 0.9 * y[::-1] * 0.9, 2.0 + y)
wright_bessel(0.5, 1.2, x)
log_wright_bessel(0.5, 1.2, x)
ellipkinc(x, 0.9 * y)
ellipeinc(x, 0.9 * y)
elliprc(x, 1.2 + y)
elliprf(x, 1.2 + y, 2.0 + x)
hyp2f1(0.5, 1.2, 2.3, 0.8 * x)
hyp1f1(0.5, 1.2, x)
hyperu(0.5, 1.2, x)
eval_jacobi(2, 0.5, 1.2, x)
eval_sh_jacobi(2, 1.5, 0.8, x)
eval_gegenbauer(2, 0.5, x)
eval_genlaguerre(2, 0.5, x)
lpmv(1, 2, 0.9 * x)
ellipj(x, 0.3)
zeta(2.5, 0.5 + x)
comb(4.2 + x, 1.5)
perm(4.2 + x, 1.5)
multigammaln(2.0 + x, 2)
diric(x, 5)
sinc(x)
"""

LINALG = """
block_diag(m, q)
cho_factor: np.triu(scipy.linalg.cho_factor(h)[0])
cho_solve(scipy.linalg.cho_factor(h), x[:3])
cho_solve_banded((np.stack([[2.0] * 6, [0.1] * 6]), True), x)
cholesky(h)
circulant(x[:3])
companion(1.0 + x[:4])
convolution_matrix(x[:3], 4)
coshm(q[:2, :2])
cosm(q[:2, :2])
det(q)
eig(q)[0]
eigh(h)[0]
eigvals(q)
eigvalsh(h)
expm(q[:2, :2])
fiedler(x[:4])
hankel(x[:3], x[3:])
inv(q)
khatri_rao(m, q)
kron(m, q)
leslie(x[:3], x[3:5])
logm(h[:2, :2])
lstsq(A.T * x[:, None], y)[0]
lu(q)
lu_factor(q)[0]
lu_solve(scipy.linalg.lu_factor(q), x[:3])
norm(x)
pinv(m)
qr(q)
sinhm(q[:2, :2])
sinm(q[:2, :2])
solve(q, x[:3])
solve_banded((1, 1), np.stack([0.1 * x, 2.0 + x, 0.2 * y]), x)
solve_circulant(1.0 + x[:3] ** 2, x[3:])
solve_continuous_are(q, np.eye(3)[:, :2], h, np.eye(2))
solve_continuous_lyapunov(q, h)
solve_discrete_are(0.3 * q, np.eye(3)[:, :2], h, np.eye(2))
solve_discrete_lyapunov(0.3 * q, h)
solve_lyapunov(q, h)
solve_sylvester(q, h, q)
solve_toeplitz(2.0 + x[:3].cumsum()[::-1], x[3:])
solve_triangular(q, x[:3], lower=True)
solveh_banded(np.stack([0.1 * x, 2.0 + x]), x)
sqrtm(h[:2, :2])
svd(m, full_matrices=False)[1]
svdvals(m)
toeplitz(x[:3], x[3:])
"""

SPARSE = """
block_array([[scipy.sparse.diags_array(x), None], [None, BAND]]) @ np.concatenate([x, y])
block_diag([m, q]) @ x
bmat([[scipy.sparse.diags(x), None], [None, BAND]]) @ np.concatenate([x, y])
coo_array((x, ([0, 1, 2, 0, 2, 2], [2, 0, 1, 2, 3, 0])), shape=(3, 4)) @ x[:4]
coo_matrix((x, ([0, 1, 2, 0, 2, 2], [2, 0, 1, 2, 3, 0])), shape=(3, 4)) @ x[:4]
csc_array(m) @ x[:3]
csc_matrix(m) @ x[:3]
csr_array((x, ([0, 1, 2, 0, 2, 2], [2, 0, 1, 2, 3, 0])), shape=(3, 4)).toarray()
csr_matrix((x, ([0, 1, 2, 0, 2, 2], [2, 0, 1, 2, 3, 0])), shape=(3, 4)).dot(x[:4])
dia_array((m, [0, 1]), shape=(3, 3)) @ x[:3]
dia_matrix((m, [0, 1]), shape=(3, 3)) @ x[:3]
diags([x, x[:5]], [0, 1]) @ y
diags_array([x, x[:5]], offsets=[0, 1]) @ y
hstack([scipy.sparse.csr_array(m), scipy.sparse.csr_array(m)]) @ x
kron(m, q).toarray()
kronsum(q, m @ m.T).toarray()
tril(m).toarray()
triu(m, 1).toarray()
spdiags(m, [0, 1], 3, 3) @ x[:3]
vstack([scipy.sparse.csr_array(m), scipy.sparse.csr_array(q)]) @ x[:3]
"""

SPARSE_LINALG = """
spsolve(BAND, x)
spsolve_triangular(LOWER, x)
factorized(BAND)(x)
splu(BAND).solve(x)
SuperLU: LU.solve(x)
spilu(BAND).solve(x)
expm_multiply(BAND, x)
"""

INTERPOLATE = """
CubicSpline(KNOTS, TABLE)(x)
PchipInterpolator(KNOTS, TABLE)(x)
PchipInterpolator(KNOTS, x[:len(KNOTS)])(0.3)
PchipInterpolator(np.cumsum(np.exp(x)), x)(3.1)
pchip_interpolate(KNOTS, x[:len(KNOTS)], 0.3)
Akima1DInterpolator(KNOTS, TABLE)(x)
CubicHermiteSpline(KNOTS, TABLE, SLOPES)(x)
PPoly(PIECES, KNOTS)(x)
PPoly(x.reshape(2, 3), np.arange(4.0))(x)
BPoly(PIECES, KNOTS)(x)
BSpline(np.arange(9.0) / 4.0 - 0.5, TABLE, 3)(0.3 + 0.3 * x)
make_interp_spline(KNOTS, TABLE)(x)
interp1d(KNOTS, TABLE)(x)
interp1d(KNOTS, TABLE, kind='cubic')(x)
RegularGridInterpolator((KNOTS, KNOTS), np.outer(TABLE, SLOPES))(x.reshape(3, 2))
UnivariateSpline(KNOTS, TABLE, s=0)(x)
InterpolatedUnivariateSpline(KNOTS, TABLE)(x)
KroghInterpolator(KNOTS, TABLE)(x)
BarycentricInterpolator(KNOTS, TABLE)(x)
splev(x, scipy.interpolate.splrep(KNOTS, TABLE))
pchip(KNOTS, TABLE)(x)
make_lsq_spline(np.linspace(0.0, 1.0, 9), np.cos(np.arange(9.0)), np.array([0, 0, 0, 0, 0.5, 1, 1, 1, 1.0]))(x)
LSQUnivariateSpline(np.linspace(0.0, 1.0, 9), np.cos(np.arange(9.0)), [0.5])(x)
NdPPoly(np.arange(12.0).reshape(2, 3, 2, 1) % 5.0, ([0.0, 0.5, 1.0], [0.0, 1.0]))(x.reshape(3, 2))
NdBSpline((np.arange(9.0) / 4.0 - 0.5,), TABLE, 3)(0.3 + 0.3 * x.reshape(6, 1))
RectBivariateSpline(KNOTS, KNOTS, np.outer(TABLE, SLOPES))(x, y, grid=False)
RectBivariateSpline(KNOTS, KNOTS, np.outer(TABLE, SLOPES)).ev(x, y)
SmoothBivariateSpline(*SCATTERED, kx=2, ky=2).ev(x, y)
LSQBivariateSpline(*SCATTERED, [0.5], [0.5], kx=2, ky=2).ev(x, y)
interpn((KNOTS, KNOTS), np.outer(TABLE, SLOPES), x.reshape(3, 2))
"""

NDIMAGE = """
affine_transform(m, [0.8, 0.9], order=1)
convolve(m, [[0.2, 0.5, 0.1]])
convolve1d(x, [0.2, 0.5, 0.1])
correlate(m, [[0.2, 0.5, 0.1]])
correlate1d(x, [0.2, 0.5, 0.1])
gaussian_filter(m, 0.7)
gaussian_filter1d(x, 0.7)
gaussian_laplace(m, 0.7)
laplace(m)
map_coordinates(m, [[0.3, 0.8], [0.1, 1.6]], order=1)
prewitt(m)
rotate(m, 30.0)
shift(x, 0.6)
sobel(m)
spline_filter(m)
spline_filter1d(x)
uniform_filter(m, 2)
uniform_filter1d(x, 3)
zoom(x, 1.5, order=1)
"""

SIGNAL = """
convolve(x, [0.5, 0.2])
convolve(x[:3], x[3:])
convolve2d(m, [[0.5, 0.2]], mode='same')
correlate(x[:4], x[3:])
correlate2d(m, m[:, :2])
decimate(np.tile(x, 6), 2)
detrend(x)
fftconvolve(x[:3], x[3:])
oaconvolve(x, [0.5, 0.2])
filtfilt([0.3], [1.0, -0.4], np.tile(x, 2))
hilbert(x)
lfilter([0.3, 0.1], [1.0, -0.4], x)
resample(x, 4)
resample_poly(x, 3, 2)
savgol_filter(x, 5, 2)
sosfilt(SECTIONS, x)
sosfiltfilt(SECTIONS, np.tile(x, 3))
upfirdn([0.5, 0.2], x, up=2)
"""

FFT = f"""{call_examples.FFT}hfft2(m)
ihfft2(m)
hfftn(m)
ihfftn(m)
dct(x)
idct(x)
dst(x)
idst(x)
dctn(m)
idctn(m)
dstn(m)
idstn(m)
"""
