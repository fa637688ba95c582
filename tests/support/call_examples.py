"""One example or more for each call of NumPy, math and SciPy that the table of calls counts as supported.

An entry is an expression without its module (`sin(x)` stands for `np.sin(x)`), or `name: statements; expression` in
full. The names that it may use are those of `call_checks.NAMES`; all but constants are made from the unknowns x.
"""

from __future__ import annotations

NUMPY = """
sin(x)
cos(x)
tan(x)
arcsin(x)
arccos(x)
arctan(x)
sinh(x)
cosh(x)
tanh(x)
arcsinh(x)
arccosh(1.0 + x)
arctanh(x)
exp(x)
exp2(x)
expm1(x)
log(x)
log2(x)
log10(x)
log1p(x)
sqrt(x)
sqrt(z)
cbrt(x)
square(x)
reciprocal(x)
absolute(x - 0.5)
absolute(z)
abs(x - 0.5)
fabs(x - 0.5)
sign(x - 0.5)
positive(x)
negative(x)
conjugate(z)
conj(z)
floor(3.0 * x)
ceil(3.0 * x)
trunc(3.0 * x)
rint(3.0 * x)
fix(3.0 * x)
round(3.0 * x, 1)
around(3.0 * x)
deg2rad(x)
radians(x)
rad2deg(x)
degrees(x)
sinc(x)
i0(x)
nan_to_num(np.where(x > 0.5, x, np.nan))
real(z)
imag(z)
angle(z)
real_if_close(x)
signbit(x - 0.5)
isfinite(x)
isinf(x)
isnan(x)
isneginf(x)
isposinf(x)
isreal(z)
iscomplex(z)
isrealobj(z)
iscomplexobj(z)
add(x, y)
subtract(x, y)
multiply(x, y)
divide(x, y)
true_divide(x, y)
floor_divide(x, 0.2)
remainder(x, 0.2)
mod(x, y)
fmod(x, y)
divmod(x, 0.2)
modf(3.0 * x)
frexp(x)
ldexp(x, [1, 0, 2, 3, 1, 1])
power(x, y)
pow(x, 3)
float_power(x, y)
arctan2(x, y)
hypot(x, y)
logaddexp(x, y)
logaddexp2(x, y)
maximum(x, y)
minimum(x, y)
fmax(x, y)
fmin(x, y)
copysign(x, y - 0.5)
heaviside(x - 0.5, 0.5)
acos(x)
acosh(1.0 + x)
asin(x)
asinh(x)
atan(x)
atan2(x, y)
atanh(x)
greater(x, y)
greater_equal(x, y)
less(x, y)
less_equal(x, y)
equal(x, y)
not_equal(x, y)
logical_and: np.logical_and(x > 0.3, x < 0.8) * x
logical_or: np.logical_or(x < 0.3, x > 0.8) * x
logical_xor: np.logical_xor(x > 0.3, x > 0.8) * x
logical_not: np.logical_not(x > 0.3) * x
bitwise_and: np.bitwise_and(x > 0.3, x < 0.8) * x
bitwise_or: np.bitwise_or(x < 0.3, x > 0.8) * x
bitwise_xor: np.bitwise_xor(x > 0.3, x > 0.8) * x
bitwise_not: np.bitwise_not(x > 0.3) * x
bitwise_invert: np.bitwise_invert(x > 0.3) * x
invert: np.invert(x > 0.3) * x
where(x > y, x, 2.0 * y)
clip(x, 0.3, 0.8)
select([x < 0.3, x < 0.8], [x, y], 2.0 * x)
piecewise(x, [x < 0.5, x >= 0.5], [lambda t: t * t, lambda t: 0.5 * t])
choose([0, 1, 0], [x[:3], x[3:]])
interp(x, [0.0, 0.4, 1.0], [0.3, -0.7, 1.1])
interp(0.3, x[:3].cumsum(), x[3:])
unwrap(9.0 * x)
isclose(x, y)
allclose(x, y)
array_equal(x, y)
array_equiv(x, y)
isin(x, [0.31, 0.74])
isscalar: np.isscalar(x[0]) * x
iterable: np.iterable(x) * x
sum(m, axis=0)
sum(x, where=x > 0.5)
mean(m, axis=1)
prod(m, axis=0)
max(m, axis=1)
amax(x)
min(m, axis=1)
amin(x)
ptp(m, axis=1)
var(m, axis=1)
std(m, axis=0, ddof=1)
median(m, axis=1)
percentile(x, 30)
quantile(x, [0.2, 0.7])
average(x, weights=y)
nansum(m, axis=0)
nanmean(m, axis=1)
nanprod(m, axis=0)
nanmax(x)
nanmin(x)
nanvar(x)
nanstd(x)
nanmedian(x)
nanpercentile(x, 40)
nanquantile(x, 0.6)
nancumsum(x)
nancumprod(x)
nanargmax: x[np.nanargmax(x)]
nanargmin: x[np.nanargmin(x)]
cumsum(m, axis=1)
cumprod(x)
cumulative_sum(x)
cumulative_prod(x)
diff(x, 2)
ediff1d(x)
gradient(x, 0.5)
gradient(m)
trapezoid(x, dx=0.3)
trapz(x, dx=0.3)
corrcoef(m)
cov(m)
count_nonzero: np.count_nonzero(x > 0.5) * x
all: np.all(x > 0.0) * x
any: np.any(x > 0.8) * x
argmax: x[np.argmax(x)]
argmin: x[np.argmin(x)]
argsort: x[np.argsort(x)]
argpartition: x[np.argpartition(x, 2)[2]]
argwhere: x[np.argwhere(x > 0.5)[:, 0]]
nonzero: x[np.nonzero(x > 0.5)]
flatnonzero: x[np.flatnonzero(x > 0.5)]
searchsorted: x[np.searchsorted([0.2, 0.5], x)]
digitize: x[np.digitize(x, [0.2, 0.5])]
lexsort: x[np.lexsort((x,))]
sort(x)
sort(m, axis=0)
sort_complex(z)
partition(x, 2)[2]
unique(x)
unique_values: np.sort(np.unique_values(x))
unique_counts(x).values
unique_inverse(x).values
unique_all(x).values
union1d(x[:3], x[3:])
intersect1d(x, x[::2])
setdiff1d(x, x[:2])
setxor1d(x[:4], x[2:])
histogram([0.1, 0.6, 0.7], bins=2, weights=x[:3])[0]
histogram_bin_edges(x, bins=3)
bincount([0, 2, 1, 0, 2, 2], weights=x)
trim_zeros: np.trim_zeros(x * [0, 1, 1, 1, 0, 0])
extract(x > 0.5, x)
compress([True, False, True], x[:3])
dot(m, x[:3])
dot(A, x)
vdot(z, z[::-1])
inner(x, y)
outer(x[:3], x[3:])
matmul(m, q)
matmul(A, x)
matvec(m, x[:3])
vecmat(x[:2], m)
vecdot(m, m[::-1])
tensordot(m, q, axes=([1], [0]))
einsum('ij,jk->ik', m, q)
einsum('ij->j', m)
einsum_path: x * len(np.einsum_path('ij,jk->ik', m, q)[0])
kron(x[:2], x[3:])
cross(x[:3], x[3:])
trace(q)
vander(x[:3], 3)
convolve(x, [0.5, -0.2, 0.1])
convolve(x[:3], x[3:], 'same')
correlate(x[:4], x[3:], 'full')
poly(x[:3])
roots(np.concatenate([[0.0], 1.0 + x[:3], [0.0]]))
polyadd(x[:3], [1.0, 0.5])
polysub(x[:3], [1.0, 0.5])
polymul(x[:3], x[3:])
polyval(x[:3], 0.4)
polyval([0.5, -1.0, 0.3], x)
polyder(x)
polyint(x)
polyfit([0.0, 0.5, 1.0, 1.5, 2.0, 2.5], x, 2)
append(x, y)
array_split(x, 4)
split(x, 3)
hsplit(m, 3)
vsplit(m, 2)
dsplit(x.reshape(1, 2, 3), 3)
unstack(m)
atleast_1d(x[0])
atleast_2d(x)
atleast_3d(m)
block([[m, m], [m, 1.0 - m]])
broadcast_arrays(x[:3], m)
broadcast_to(x[:3], (2, 3))
column_stack([x, y])
concat([x, y])
concatenate([m, q])
copy(x)
delete(x, [1, 3])
diag(x[:3])
diag(q)
diagflat(x[:3])
diagonal(m)
dstack([m, m[::-1]])
expand_dims(x, 0)
flip(m)
fliplr(m)
flipud(m)
hstack([x, y])
insert(x, 2, x[0])
matrix_transpose(m)
meshgrid(x[:2], x[3:])
moveaxis(m, 0, 1)
pad(x, 2)
pad(x, 2, mode='reflect')
permute_dims(m, (1, 0))
ravel(m)
repeat(x, 2)
reshape(x, (3, 2))
resize(x, (3, 3))
roll(x, 2)
rollaxis(m, 1)
rot90(m)
squeeze(x.reshape(1, 6))
stack([x, y])
swapaxes(m, 0, 1)
take(x, [0, -1, 2])
take_along_axis(m, np.array([[1], [0]]), 1)
tile(x, 2)
transpose(m)
tril(q)
triu(q)
vstack([x, y])
row_stack([x, y])
array([x[0], 1.0, x[1]])
asarray([x[0], 1.0, x[1]])
asanyarray(x)
asarray_chkfinite(x)
ascontiguousarray(m.T)
asfortranarray(m)
require(m, requirements='F')
astype(x, np.float64)
fromiter((t * t for t in x), float)
fromfunction(lambda i, j: x[0] * i + x[1] * j, (2, 3))
frompyfunc: np.array(np.frompyfunc(lambda t: t * t, 1, 1)(x).tolist())
vectorize: np.vectorize(lambda t: t * t)(x)
apply_along_axis(lambda row: row * row[0], 1, m)
apply_over_axes(np.sum, m, [0])
full(3, x[0])
full_like(x, x[0])
zeros: b = np.zeros(3); b[1:] = x[:2]; b
zeros_like: b = np.zeros_like(x); b[1:] = x[:5]; b
ones: b = np.ones(3); b[1:] = x[:2]; b
ones_like: b = np.ones_like(x); b[1:] = x[:5]; b
empty: b = np.empty(3); b[:] = x[:3]; b
empty_like: b = np.empty_like(x); b[:] = y; b
eye: b = np.eye(3, 2); b[0] = x[:2]; b
identity: b = np.identity(3); b[0] = x[:3]; b
linspace(x[0], x[1], 4)
logspace(x[0], x[1], 4)
geomspace(x[0], x[1], 4)
c_: np.c_[x, y]
r_: np.r_[x, 0.5, y]
copyto: b = np.zeros(6); np.copyto(b, x, where=x > 0.5); b
put: b = np.zeros(6); np.put(b, [0, 3], x[:2]); b
put_along_axis: b = np.zeros((2, 3)); np.put_along_axis(b, np.array([[1], [0]]), x[:2].reshape(2, 1), 1); b
putmask: b = 2.0 * x; np.putmask(b, x > 0.5, y); b
place: b = 2.0 * x; np.place(b, x > 0.5, x[:2]); b
fill_diagonal: b = np.zeros((3, 3)); np.fill_diagonal(b, x[:3]); b
ndenumerate: np.array([(i + 1) * t for (i,), t in np.ndenumerate(x)])
nditer: np.array([t * 2.0 for t in np.nditer(x)])
ndindex: np.array([m[i] * 2.0 for i in np.ndindex(2, 3)])
broadcast: np.array([a * b for a, b in np.broadcast(x[:3], m)])
ix_: m[np.ix_([0, 1], x[:3] > 0.5)]
shape: np.array(np.shape(m)) * x[:2]
size: np.size(m) * x
ndim: np.ndim(m) * x
result_type: x.astype(np.result_type(x, 1))
shares_memory: np.shares_memory(x, x[1:]) * x
may_share_memory: np.may_share_memory(x, x[1:]) * x
array2string: (len(np.array2string(x)) > 0) * x
array_repr: (len(np.array_repr(x)) > 0) * x
array_str: (len(np.array_str(x)) > 0) * x
"""

NDARRAY = """
all: (x > 0.0).all() * x
any: (x > 0.8).any() * x
argmax: x[x.argmax()]
argmin: x[x.argmin()]
argpartition: x[x.argpartition(2)[2]]
argsort: x[x.argsort()]
astype: x.astype(float)
choose: np.array([0, 1, 0]).choose([x[:3], x[3:]])
clip: x.clip(0.3, 0.8)
compress: x.compress([True, False, True])
conj: z.conj()
conjugate: z.conjugate()
copy: b = x.copy(); b[0] = 0.0; b * x
cumprod: x.cumprod()
cumsum: x.cumsum()
diagonal: q.diagonal()
dot: m.dot(q)
fill: b = x.copy(); b.fill(x[1]); b
setflags: b = x.copy(); b.setflags(write=False); b * x[0]
flatten: m.flatten()
item: x.item(2)
max: x.max()
mean: m.mean(axis=0)
min: x.min()
nonzero: x[(x > 0.5).nonzero()]
partition: b = x.copy(); b.partition(2); b[2]
prod: x.prod()
put: b = x.copy(); b.put([0, 3], x[1:3]); b
ravel: m.ravel()
repeat: x.repeat(2)
reshape: x.reshape(3, 2)
round: (3.0 * x).round(1)
searchsorted: x[np.sort(x).searchsorted(0.5)]
sort: b = x.copy(); b.sort(); b
squeeze: x.reshape(1, 6).squeeze()
std: x.std()
sum: m.sum(axis=1)
swapaxes: m.swapaxes(0, 1)
take: x.take([0, -1, 2])
tolist: np.array(x.tolist())
trace: q.trace()
transpose: m.transpose()
var: x.var()
view: x.view()
__abs__: abs(x - 0.5)
__add__: x + 1.0
__and__: ((x > 0.3) & (x < 0.8)) * x
__array_ufunc__: np.sin(x)
__array_function__: np.sum(x)
__bool__: x if x[0] > 0.2 else 2.0 * x
__complex__: complex(x[0])
__contains__: (1.0 + (0.37 in x)) * x
__copy__: copy.copy(x)
__deepcopy__: copy.deepcopy(x)
__divmod__: divmod(x, 0.2)
__eq__: (1.0 + (x == y)) * x
__float__: float(x[0]) * x
__floordiv__: x // 0.2
__format__: (len(f'{x[0]:.3f}') > 0) * x
__ge__: (x >= y) * x
__getitem__: x[1::2]
__gt__: (x > y) * x
__iadd__: b = x.copy(); b += y; b
__iand__: b = x > 0.3; b &= x < 0.8; b * x
__ifloordiv__: b = x.copy(); b //= 0.2; b
__imatmul__: b = m.copy(); b @= q; b
__imod__: b = x.copy(); b %= 0.2; b
__imul__: b = x.copy(); b *= y; b
__int__: int(5.0 * x[0]) * x
__invert__: ~(x > 0.3) * x
__ior__: b = x < 0.3; b |= x > 0.8; b * x
__ipow__: b = x.copy(); b **= 2; b
__isub__: b = x.copy(); b -= y; b
__iter__: [t * t for t in x]
__itruediv__: b = x.copy(); b /= y; b
__ixor__: b = x > 0.3; b ^= x > 0.8; b * x
__le__: (x <= y) * x
__len__: len(x) * x
__lt__: (x < y) * x
__matmul__: m @ q
__mod__: x % 0.2
__mul__: x * y
__ne__: (x != y) * x
__neg__: -x
__or__: ((x < 0.3) | (x > 0.8)) * x
__pos__: +x
__pow__: x**y
__radd__: 1.0 + x
__rand__: (MASK & (x < 0.8)) * x
__rdivmod__: divmod(0.85, x)
__rfloordiv__: 0.85 // x
__rmatmul__: A @ x
__rmod__: 0.85 % x
__rmul__: 2.0 * x
__ror__: (MASK | (x < 0.8)) * x
__rpow__: 2.0**x
__rsub__: 1.0 - x
__rtruediv__: 1.0 / x
__rxor__: (MASK ^ (x < 0.8)) * x
__setitem__: b = np.zeros(6); b[[0, 3]] = x[:2]; b
_set_shape: b = x.copy(); b._set_shape((2, 3)); b.T
__sub__: x - y
__truediv__: x / y
__xor__: ((x < 0.3) ^ (x > 0.8)) * x
"""

UFUNC = """
at: b = np.zeros(3); np.add.at(b, [0, 1, 0, 2, 2, 1], x); b
at: b = np.ones(3); np.multiply.at(b, [0, 1, 0, 2, 2, 1], x); b
reduce: np.multiply.reduce(m, axis=1)
reduce: np.logaddexp.reduce(x)
accumulate: np.multiply.accumulate(x)
accumulate: np.maximum.accumulate(m, axis=1)
reduceat: np.add.reduceat(x, [0, 2, 3])
outer: np.subtract.outer(x[:2], x[3:])
"""

LINALG = """
cholesky(h)
cond(q)
cross(x[:3], x[3:])
det(q)
diagonal(m)
eig(q)[0]
eigh(h)[0]
eigvals(q)
eigvalsh(h)
inv(q)
lstsq(A.T * x[:, None], y, rcond=None)[0]
matmul(m, q)
matrix_norm(m)
matrix_power(q, 3)
matrix_rank: np.linalg.matrix_rank(q) * x
matrix_transpose(m)
multi_dot([m, q, q])
norm(x)
norm(m, axis=1)
outer(x[:3], x[3:])
pinv(m)
qr(q)
slogdet(q)
solve(q, x[:3])
svd(m, full_matrices=False)
svdvals(m)
tensordot(m, q, axes=([1], [0]))
tensorinv(q.reshape(3, 3), 1)
tensorsolve(q, x[:3])
trace(q)
vecdot(m, m[::-1])
vector_norm(x)
"""

FFT = """
fft(x)
ifft(z)
rfft(x)
irfft(z)
hfft(z)
ihfft(x)
fft2(m)
ifft2(m)
rfft2(m)
irfft2(m)
fftn(m)
ifftn(m)
rfftn(m)
irfftn(m)
fftshift(x)
ifftshift(x)
"""

MATH = """
acos(x[0])
acosh(1.0 + x[0])
asin(x[0])
asinh(x[0])
atan(x[0])
atan2(x[0], x[1])
atanh(x[0])
cbrt(x[0])
ceil(5.0 * x[0]) * x[0]
copysign(x[0], -1.0)
cos(x[0])
cosh(x[0])
degrees(x[0])
dist(x[:3], x[3:])
erf(x[0])
erfc(x[0])
exp(x[0])
exp2(x[0])
expm1(x[0])
fabs(x[0])
floor(5.0 * x[0]) * x[0]
fma(x[0], x[1], x[2])
fmod(x[0], 0.2)
fsum(x)
gamma(x[0])
hypot(x[0], x[1])
isclose: (1.0 + math.isclose(x[0], x[1])) * x[0]
isfinite: (1.0 + math.isfinite(x[0])) * x[0]
isinf: (1.0 + math.isinf(x[0])) * x[0]
isnan: (1.0 + math.isnan(x[0])) * x[0]
ldexp(x[0], 2)
lgamma(x[0])
log(x[0])
log(x[0], 3.0)
log10(x[0])
log1p(x[0])
log2(x[0])
modf(3.0 * x[0])
pow(x[0], x[1])
prod(x)
radians(x[0])
remainder(x[0], 0.2)
sin(x[0])
sinh(x[0])
sqrt(x[0])
sumprod(x[:3], x[3:])
tan(x[0])
tanh(x[0])
trunc(5.0 * x[0]) * x[0]
"""

CMATH = """
acos(c)
acosh(c)
asin(c)
asinh(c)
atan(c)
atanh(c)
cos(c)
cosh(c)
exp(c)
isfinite: (1.0 + cmath.isfinite(c)) * c
isinf: (1.0 + cmath.isinf(c)) * c
isnan: (1.0 + cmath.isnan(c)) * c
log(c)
log10(c)
phase(c)
polar(c)
rect(x[0], x[1])
sin(c)
sinh(c)
sqrt(c)
tan(c)
tanh(c)
"""
