"""What random programs are made of: statements as text, with places for operands.

A place is a letter, numbered where a statement has several of a kind (`{a}`, `{a2}`); the letters are explained in
`fuzz_programs.KINDS`. An entry without `{y} =` is an expression whose value gets a new name. Statements that NumPy
itself refuses for the operands drawn are drawn again, so an entry need not hold for all shapes.
"""

from __future__ import annotations

from fuzz_idioms import BLOCKS, IDIOMS

ELEMENTWISE = """
np.sin({a}) | np.cos({a}) | np.tan(0.7 * np.tanh({a})) | np.arcsin({u}) | np.arccos({u}) | np.arctan({a})
np.sinh(np.tanh({a})) | np.cosh(np.tanh({a})) | np.tanh({a}) | np.arcsinh({a}) | np.arccosh(1.0 + {p})
np.arctanh({u}) | np.exp(-np.square({a})) | np.exp2({u}) | np.expm1({u}) | np.log({p}) | np.log2({p}) | np.log10({p})
np.log1p({p}) | np.sqrt({p}) | np.cbrt({p}) | np.square({a}) | np.reciprocal({p}) | np.absolute({a}) | np.abs({a})
np.fabs({a}) | np.sign({a}) | np.positive({a}) | np.negative({a}) | np.conj({a}) | np.floor({a}) | np.ceil({a})
np.trunc({a}) | np.rint({a}) | np.fix({a}) | np.round({a}, 1) | np.around({a}) | np.deg2rad({a}) | np.radians({a})
np.rad2deg({u}) | np.degrees({u}) | np.sinc({a}) | np.i0({u}) | np.nan_to_num({a}) | np.real({a}) | np.imag({a})
np.angle({z}) | np.real_if_close({a}) | np.add({a}, {b}) | np.subtract({a}, {b}) | np.multiply({a}, {b})
np.divide({a}, {p}) | np.true_divide({a}, {p}) | np.floor_divide({a}, {p}) | np.remainder({a}, {p}) | np.mod({a}, {p})
np.fmod({a}, {p}) | np.power({p}, {u}) | np.float_power({p}, {u}) | np.arctan2({a}, {p}) | np.hypot({a}, {p})
np.logaddexp({a}, {b}) | np.logaddexp2({a}, {b}) | np.maximum({a}, {b}) | np.minimum({a}, {b}) | np.fmax({a}, {b})
np.fmin({a}, {b}) | np.copysign({a}, {b}) | np.heaviside({a}, 0.5) | np.divmod({a}, {p})[{i} % 2]
np.modf({a})[{i} % 2] | np.ldexp({a}, {i}) | np.pow({p}, {n}) | np.frexp({a})[0] | np.asin({u}) | np.acos({u})
np.atan({a}) | np.asinh({a}) | np.acosh(1.5 + {p}) | np.atanh({u}) | np.atan2({a}, {p}) | {a} + {b} | {a} - {k}
{a} * {b} | {k} * {a} | {a} / {p} | {k} / {p} | {a} ** 2 | {a} ** 3 | {p} ** {k} | {a} ** {n} | 2.0 ** {u} | -{a}
+{a} | abs({a}) | {a} // {p} | {a} % {p} | {a} * {r} | {r} - {a} | {a} + {i} | {a} @ {a2}
np.where({a} > {k}, {a}, {b}) | np.where({a} > {b}, {a} * {b}, {b}) | np.where(np.isfinite({a}), {a}, 0.0)
np.clip({a}, -0.7, 0.9) | {a}.clip(-0.5, None) | np.clip({a}, None, {b}) | {a}.round(2)
np.where(np.logical_and({a} > -0.3, {a} < 0.9), {a}, {k}) | np.where(~({a} > {k}), {a}, {k2}) | ({a} > {k}) * {a}
np.where(np.logical_or({a} > {k}, {b} < {k2}), {a}, {b}) | np.choose(({a} > {k}).astype(int), [{a}, {b}])
{a}.astype(float) | np.select([{a} < -0.5, {a} < 0.5], [{a}, {b}], {k}) | np.select([{a} > {k}], [2.0 * {a}], {b})
np.piecewise({a}, [{a} < 0.0, {a} >= 0.0], [lambda t: t * t, lambda t: 0.5 * t])
np.where({a} == {b}, {a}, {b} * 0.5) | np.isclose({a}, {b}) * {a} | np.signbit({a}) * {b}
np.interp({a}, [-1.0, 0.1, 1.3], [0.3, -0.7, 1.1]) | np.unwrap({v}) | np.interp([0.2, 0.9], [0.0, 0.5, 1.0], {v}[:3])
np.astype({a}, np.float64) | np.float64({r}) * {a} | np.abs({z}) | {z}.real * {a}
"""

COMPLEX = """
({z} * {z2}).imag | np.real({z} / (2.5 + {z2})) | abs({z}) | np.exp(0.3 * {z}).real | np.sqrt({z} + 3.0).imag
np.conj({z}).imag | np.sin({z}).real | np.log({z} + 3.0).imag | ({z} ** 2).real | np.abs({z} - 1j)
np.angle({z} + 2.0) | np.real(np.conjugate({z}) * {z2}) | np.vdot({z}, {z2}).real | np.sum({z}).imag
np.exp(1j * {a}).real | np.exp(1j * {a}).imag | np.prod({z}).real | np.dot({z}, {z2}).imag | np.tanh(0.3 * {z}).real
np.cosh({z}).imag | np.where({a} > 0, {z}, 1j).imag | np.stack([{z}.real, {z}.imag]) | ({z} @ {z2}).real
np.hypot({z}.real, {z}.imag) | np.square({z}).imag | np.reciprocal({z} + 3.0).real | np.linalg.norm({z} + 2.0)
np.mean({z}).real | np.fft.fft({v}).real | np.fft.fft({v}).imag | np.fft.ifft({z}).real | np.fft.rfft({v}).imag
np.fft.irfft({z}).real | np.fft.fft2({m}).real | np.fft.ifft(np.fft.fft({v}) * 0.5j).imag
np.fft.irfft(np.fft.rfft({v}) * 0.5, {v}.size) | np.fft.fftn({m}).imag | np.fft.fftshift({v}) | np.fft.ifftshift({v})
np.abs(np.fft.fft({v}, 8)) | np.fft.hfft({v}) | np.fft.rfft({a}, axis=0).real | np.fft.fft({m}, axis=0).imag
np.fft.ifft2({m}).real | np.fft.rfft2({m}).real | np.fft.ihfft({v}).real | scipy.fft.dct({v}) | scipy.fft.idct({v})
scipy.fft.dst({v}, type=2) | scipy.fft.fft({v}).real | scipy.fft.rfft({v}).imag
"""

REDUCTIONS = """
np.sum({a}) | {a}.sum() | np.sum({m}, axis={e}) | {m}.sum(axis={e}, keepdims=True) | np.mean({a}) | {m}.mean({e})
np.prod(np.tanh({a})) | np.prod({m}, axis={e}) | np.max({a}) | np.min({a}) | {m}.max(axis={e})
{m}.min(axis={e}, keepdims=True) | np.amax({m}, axis=0) | np.ptp({a}) | np.ptp({m}, axis={e}) | np.var({a})
np.std({a} + np.arange({a}.size).reshape({a}.shape)) | {m}.var(axis={e}, ddof=0) | np.var({v}, ddof=1)
np.median({v}) | np.median({m}, axis={e}) | np.percentile({v}, 30) | np.quantile({v}, [0.2, 0.7]) | np.nansum({a})
np.nanmean({a}) | np.nanmax({a}) | np.nanmin({m}, axis={e}) | np.nanprod(np.tanh({a})) | np.nanmedian({v})
np.nanvar({v}) | np.nanstd({v} + np.arange({v}.size)) | np.nancumsum({v}) | np.nanpercentile({v}, 40)
np.nanquantile({v}, 0.6) | np.average({v}, weights=np.arange(1.0, {v}.size + 1)) | np.average({m}, axis={e})
np.linalg.norm({p}) | np.linalg.norm({m} + 2.0, axis={e}) | np.linalg.norm({v}, 1) | np.linalg.norm({v}, np.inf)
np.linalg.norm({v} + 2.0, 3) | np.linalg.norm({m}, 'fro') | np.linalg.norm({m}, 1) | np.cumsum({v})
np.cumsum({m}, axis={e}) | {v}.cumsum() | np.cumprod(np.tanh({v})) | np.cumprod({m}, axis={e}) | np.cumsum({m})
np.maximum.accumulate({v}) | np.add.accumulate({v}) | np.multiply.accumulate({u}) | np.minimum.accumulate({m}, axis=1)
np.add.reduce({v}) | np.multiply.reduce({u}, axis=0) | np.maximum.reduce({m}, axis={e}) | np.logaddexp.reduce({v})
np.add.reduce({m}, axis=(0, 1)) | np.add.reduceat({v}, [0, 2]) | np.add.outer({v}, {w}) | np.multiply.outer({v}, {v2})
np.subtract.outer({v}[:3], {w}[:2]) | np.maximum.outer({v}[:2], {w}[:3]) | np.count_nonzero({a} > {k}) * {a}
np.trapezoid({v}) | np.trapezoid({v}, dx=0.3) | np.trapezoid({m}, axis={e})
np.trapezoid({v}, x=np.linspace(0.0, 1.0, {v}.size)) | np.any({a} > 1.0) * {a} | np.all({a} < 9.0) * {a}
np.sum({a}, where={a} > {k}) | np.max({a}, initial=0.2) | np.sum({m}, axis=(0, 1)) | np.mean({t}, axis=(0, 2))
{t}.sum(axis=1) | np.argmax({v}) * {v} | {v}[np.argmin({v})] | np.cumulative_sum({v})
np.cumulative_prod({u}.ravel()) | np.vecdot({m}, {l}) | np.linalg.vector_norm({m} + 2.0) | np.linalg.trace({m})
sum({v}) | max({v}) | min({v}) | sum(t * t for t in {v}) | max({v}[0], {k}) | np.corrcoef({m})[0, 1] | np.cov({m})
"""

PRODUCTS = """
np.dot({v}, {w}) | {v} @ {w} | np.inner({v}, {w}) | np.outer({v}, {w}) | np.vdot({v}, {w}) | np.matmul({m}, {l}.T)
{m} @ {l}.T | {m}.dot({l}.T) | np.tensordot({m}, {l}, axes=([1], [1])) | np.tensordot({v}, {w}, 1)
np.einsum('i,i->', {v}, {w}) | np.einsum('ij->ji', {m}) | np.einsum('ij,kj->ik', {m}, {l})
np.einsum('ij,ij->i', {m}, {l}) | np.einsum('i,j->ij', {v}, {v2}) | np.einsum('ii->i', {q})
np.einsum('...j,...j', {m}, {l}) | np.einsum('ijk->k', {t}) | np.kron({v}, {v2}[:2]) | np.kron({m}, np.eye(2))[:3]
np.cross({v}[:3], {v2}[:3]) | np.trace({m}) | np.linalg.multi_dot([{m}, {l}.T, {m}]) | np.linalg.matrix_power({q}, 2)
np.convolve({v}, [0.5, -0.2, 0.1]) | np.convolve({v}, {v2}, 'same') | np.convolve({v}, {v2}, mode='valid')
np.correlate({v}, [1.0, -0.5], 'full') | np.correlate({v}, {v2}) | np.polyval([0.5, -1.0, 0.3], {a})
np.polyval({v}, 0.5) | np.polyadd({v}, [1.0, {k}]) | np.polymul({v}, [1.0, -0.5]) | np.polyder({v}) | np.polyint({v})
np.polysub({v}, {w}) | np.polynomial.polynomial.polyval({k}, {v}) | np.poly1d([1.0, -0.5, {k}])({a})
np.polynomial.chebyshev.chebval({k}, {v}) | np.vander({v}[:3], 3) | CONSTANT[:, :{v}.size] @ {v}
SPARSE[:, :{v}.size] @ {v} | SPARSE[:, :{v}.size].dot({v}) | {m} @ CONSTANT[:{m}.shape[1], :3]
CONSTANT[:{m}.shape[0], :4].T @ {m} | np.matvec({m}, {m2}[0]) | np.linalg.outer({v}, {w})
np.linalg.matmul({m}, {l}.T) | np.linalg.cross({v}[:3], [0.1, {k}, 0.7]) | np.matrix_transpose({m})
np.linalg.matrix_transpose({m}) | np.linalg.vecdot({v}, {w})
"""

LINEAR_ALGEBRA = """
np.linalg.solve({q}, {v}[:{q}.shape[0]]) | np.linalg.inv({q}) | np.linalg.det({q}) | np.linalg.slogdet({q})[1]
np.linalg.cholesky({q}) | np.linalg.eigvalsh({q}) | np.linalg.eigh({q})[0] | np.linalg.svd({m}, compute_uv=False)
np.linalg.pinv({q}) | np.linalg.qr({q})[1] | np.abs(np.linalg.qr({q})[0])
np.linalg.lstsq({q}, {v}[:{q}.shape[0]], rcond=None)[0] | np.linalg.tensorinv({q}, 1) | np.linalg.cond({q})
np.linalg.solve({q}, {m}[:{q}.shape[0]]) | np.linalg.norm({q}, 2) | np.linalg.svdvals({m})
np.linalg.tensorsolve({q}, {v}[:{q}.shape[0]]) | scipy.linalg.solve({q}, {v}[:{q}.shape[0]]) | scipy.linalg.inv({q})
scipy.linalg.det({q}) | scipy.linalg.expm(0.2 * {q})
scipy.linalg.solve_triangular(np.tril({q}), {v}[:{q}.shape[0]], lower=True) | scipy.linalg.cholesky({q}, lower=True)
scipy.linalg.cho_solve(scipy.linalg.cho_factor({q}), {v}[:{q}.shape[0]]) | scipy.linalg.block_diag({m}, {l})
scipy.linalg.toeplitz({v}[:3]) | scipy.linalg.lu_solve(scipy.linalg.lu_factor({q}), {v}[:{q}.shape[0]])
scipy.linalg.norm({v} + 2.0) | scipy.linalg.eigvalsh({q})
scipy.linalg.solve_banded((1, 1), np.stack([0.1 * {v}[:4], 3.0 + {v}[:4], 0.2 * {v}[:4]]), {v}[:4])
scipy.sparse.linalg.spsolve(BAND, {v}[:4]) | FACTORS.solve({v}[:4])
scipy.sparse.linalg.spsolve(BAND, np.tanh({v}[:4])) * {k}
"""

SPECIAL = """
scipy.special.erf({a}) | scipy.special.erfc({a}) | scipy.special.expit({a}) | scipy.special.logit(0.5 + 0.4 * {u})
scipy.special.ndtr({a}) | scipy.special.gammaln({p}) | scipy.special.gamma(0.5 + {p}) | scipy.special.digamma({p})
scipy.special.xlogy({p}, {p2}) | scipy.special.entr({p}) | scipy.special.xlog1py({a}, {p})
scipy.special.rel_entr({p}, {p2}) | scipy.special.kl_div({p}, {p2}) | scipy.special.log_ndtr({a})
scipy.special.erfinv({u}) | scipy.special.ndtri(0.5 + 0.4 * {u}) | scipy.special.j0({a}) | scipy.special.j1({a})
scipy.special.i0({u}) | scipy.special.i1({u}) | scipy.special.beta({p}, {p2}) | scipy.special.betaln({p}, {p2})
scipy.special.logsumexp({a}) | scipy.special.logsumexp({m}, axis={e}) | scipy.special.softmax({v})
scipy.special.softmax({m}, axis={e}) | scipy.special.log_softmax({v}) | scipy.special.expm1({u})
scipy.special.log1p({p}) | scipy.special.cosm1({a}) | scipy.special.exprel({u}) | scipy.special.huber(0.7, {a})
scipy.special.pseudo_huber(0.7, {a}) | scipy.special.boxcox({p}, 0.3) | scipy.special.cbrt({p})
scipy.special.exp2({u}) | scipy.special.exp10({u}) | scipy.special.log_expit({a}) | scipy.special.dawsn({a})
scipy.special.sindg({a}) | scipy.special.softplus({a}) | scipy.special.y0(1.0 + {p}) | scipy.special.k0({p})
scipy.special.jv(2, {p}) | scipy.special.gammainc(1.5, {p}) | scipy.special.erfcx({a}) | scipy.special.spence({p})
scipy.special.lambertw({p}).real | scipy.special.sinc({a}) | scipy.special.polygamma(1, {p})
scipy.special.ellipk(0.4 * {u} ** 2) | scipy.special.rgamma({p}) | scipy.special.erfcinv(1.0 + {u})
scipy.special.iv(1, {p}) | scipy.special.yn(1, {p}) | scipy.special.gammaincc(1.5, {p})
scipy.special.betainc(1.5, 0.7, 0.5 + 0.4 * {u}) | scipy.special.y1(1.0 + {p}) | scipy.special.kv(0.5, {p})
scipy.special.sici({p})[0] | scipy.special.fresnel({a})[1] | scipy.special.inv_boxcox({u}, 0.3)
scipy.special.eval_chebyt(3, {u}) | scipy.special.owens_t({a}, 0.5)
"""

ORDER = """
np.sort({v}) | np.sort({m}, axis={e}) | np.sort({m}, axis=None) | {v}[np.argsort({v})]
np.take_along_axis({m}, np.argsort({m}, axis=1), 1) | np.partition({v}, {i}) | {v}[np.argsort(-{v})[:2]]
np.array(sorted({v})) | np.array(sorted({v}, reverse=True)) | np.unique({v}) | np.flip(np.sort({v}))
{v}[np.argpartition({v}, {i})] | np.sort_complex({z}).real | {v}[np.lexsort(({v},))] | np.sort(np.abs({v}))
{v}[np.searchsorted([-1.0, 0.0, 1.0], {v2}) % {v}.size] | {v}[np.digitize({v}, [-0.5, 0.5])]
np.histogram({v}, bins=2, range=(-9, 9), weights={v})[0] | {v}[{v} > {k}] | {a}[{a} < {k}]
np.compress({v} > {k}, {v}) | np.extract({v} < {k}, {v}) | {v}[np.nonzero({v} > {k})] | {v}[np.flatnonzero({v} > {k})]
{m}[np.argwhere({m} > {k})[:, 0]] | np.delete({v}, np.argmax({v})) | {m}[:, {m}[0] > {k}]
{v}[np.where({v} > {k})[0]] | np.trim_zeros({v})
"""

STRUCTURE = """
{a}.copy() | {a}.T | {a}.ravel() | {a}.flatten() | np.ravel({a}, order='F') | np.reshape({a}, -1) | {a}.reshape(-1, 1)
{a}.reshape(1, -1, 1) | {v}.reshape(2, -1) | {v}.reshape((-1, 2), order='F') | np.transpose({a})
{t}.transpose(2, 0, 1) | np.swapaxes({m}, 0, 1) | np.moveaxis({t}, 0, -1) | np.rollaxis({t}, 2) | np.squeeze({a})
{a}.squeeze() | np.expand_dims({a}, {e}) | {a}[np.newaxis] | {v}[:, None] | np.atleast_1d({r}) | np.atleast_2d({v})
np.atleast_3d({a}) | np.concatenate([{v}, {v2}]) | np.concatenate(({m}, {l}), axis={e}) | np.concat([{v}, {v2}])
np.stack([{a}, {b}], axis={e}) | np.vstack([{v}, {w}]) | np.hstack([{v}, {v2}]) | np.dstack([{m}, {l}])
np.column_stack([{v}, {w}]) | np.hstack(({v}, {k}, {r})) | np.append({v}, {r}) | np.append({m}, {l}, axis=0)
np.insert({v}, 1, {r}) | np.insert({v}, [0, 2], {k}) | np.delete({v}, {i}) | np.delete({m}, 0, axis={e})
np.block([[{m}, {l}], [{l}, {m}]]) | np.r_[{v}, {r}, {v2}] | np.c_[{v}, {w}] | np.tile({v}, 2) | np.tile({m}, (1, 2))
np.repeat({v}, 2) | np.repeat({m}, 2, axis={e}) | np.repeat({v}, np.arange({v}.size) % 3) | {v}.repeat(2)
np.roll({a}, {i}) | np.roll({m}, 1, axis={e}) | np.flip({a}) | np.flip({m}, {e}) | np.flipud({a}) | np.fliplr({m})
np.rot90({m}) | np.rot90({m}, {i}) | np.resize({v}, (2, 3)) | np.broadcast_to({v}, (2, {v}.size))
np.split({v}, [{i}])[0] | np.array_split({v}, 2)[1] | np.hsplit({m}, [1])[1] | np.vsplit({m}, [1])[0]
np.unstack({m})[0] | np.dsplit({t}, [1])[0] | np.broadcast_arrays({v}, {m})[0] | np.meshgrid({v}[:3], {w}[:2])[0]
np.meshgrid({v}[:3], {w}[:2], indexing='ij')[1] | np.diag({v}) | np.diag({m}) | np.diagonal({m}, 1) | {m}.diagonal()
np.diagflat({v}) | np.tril({m}) | np.triu({m}, 1) | np.diff({v}) | np.diff({v}, 2) | np.diff({m}, axis={e})
np.diff({v}, prepend=0.0) | np.diff({v}, append={r}) | np.ediff1d({a}) | np.ediff1d({v}, to_begin=0.1)
np.gradient({v}) | np.gradient({v}, 0.5) | np.gradient({m}, axis={e}) | np.gradient({m})[1]
np.gradient({v}, np.linspace(0, 1, {v}.size) ** 2) | np.gradient({v}, edge_order=2) | np.pad({v}, 1)
np.pad({v}, (1, 2), mode='edge') | np.pad({m}, 1, mode='wrap') | np.pad({v}, 1, mode='reflect')
np.pad({v}, 2, constant_values=0.3) | np.pad({m}, ((1, 0), (0, 2))) | np.pad({v}, 1, mode='symmetric')
np.pad({v}, 1, mode='linear_ramp') | np.pad({v}, 1, mode='mean') | np.pad({v}, 1, 'maximum')
np.take({v}, [0, -1, 0]) | {v}.take([1, 1]) | np.take({m}, [1, 0], axis={e})
np.choose([0, 1, 0], [{v}[:3], {w}[:3]]) | np.select([True], [{a}]) | {v}[[0, -1, 0]]
{v}[np.arange({v}.size) % 2 == 0] | {m}[[0, 1], [1, 0]] | {m}[:, [0, 0]] | {m}[np.ix_([0, 1], [1, 0])] | {t}[..., 0]
{t}[:, None, 0] | {v}[{o}] | {v}[{o}][{o2}] | {m}[{o}] | {m}[:, {o}] | {m}[{o}, {o2}] | {t}[{o}, 0] | {a}[0] | {a}[-1]
{a}[...] | {m}[0, {o}] | {m}.T[{o}] | {t}[{o}, {o2}] | np.take_along_axis({v}, np.array([1, 0]), 0)
{a}.flat[0] * {a2} | np.array(list({a}.flat)) | np.lib.stride_tricks.sliding_window_view({v}, 2)
np.array([{r}, {r2}, {k}]) | np.array([[{r}, 1.0], [{r2}, {k}]]) | np.asarray({a}) | np.array({a})
np.array([{v}, {w}]) | np.asanyarray({a}) | np.ascontiguousarray({m}.T) | np.full(3, {r}) | np.full_like({v}, {r})
np.array([t for t in {v}]) | np.fromiter((t * t for t in {v}), float) | np.array({a}.tolist()) | np.stack(list({m}))
np.zeros_like({a}) + {a} | np.ones_like({v}) * {r} | np.eye(3) * {r} | np.identity(2) * {r}
np.linspace({r}, {r2}, 4) | np.arange({v}.size) * {v} | np.apply_along_axis(lambda t: t * t[0], 0, {m})
np.vectorize(lambda t: t * t)({v}) | np.triu_indices(2)[0] * {v}[:3]
np.fromfunction(lambda p, q: p + q, (2, 2)) * {m}[:2, :2] | np.permute_dims({t}, (1, 2, 0)) | np.unique_values({v})
np.apply_over_axes(np.sum, {m}, [0]) | np.asfortranarray({m}) | np.require({a}) | np.copy({a})
np.logspace({r} * 0.1, 0.5, 3) | np.geomspace(1.0, 1.5 + {r} ** 2, 3)
np.array(list(np.frompyfunc(lambda t: t * t, 1, 1)({v}))) | np.roll({m}, (1, 1), axis=(0, 1))
np.tri(2) * {m}[:2, :2] | np.bincount(np.arange({v}.size) % 3, weights={v})
np.histogram([0.1, 0.6], bins=2, weights={v}[:2])[0] | np.nan_to_num({a} * np.nan) + {a} | {a}.conj() | {a}.real
np.ma.filled({a}) | np.array_equal({a}, {b}) * {a} | np.shape({a})[0] * {a} | np.size({a}) * {a} | np.ndim({a}) * {a}
len({a}) * {a} | np.iscomplexobj({a}) * {a} + {a} | np.allclose({a}, {b}) * {a} | np.isscalar({r}) * {a}
np.result_type({a}).type(2.0) * {a} | {a}.mean() * {a} | float({r}) * {a} | {r}.item() * {a} | {a}.item(0) * {a}
int(np.floor({r})) * {a} | round({r}, 2) * {a} | bool({r} > {k}) * {a} | {a}.nbytes * 0.01 * {a}
np.logical_xor({a} > 0, {b} > {k}) * {a} | {v}[np.nanargmin({v})] | {v}[np.nanargmax({v})] * {v}
np.isposinf({a}) + {a} | scipy.ndimage.gaussian_filter1d({v}, 1.0) | scipy.ndimage.convolve1d({v}, [0.2, 0.5, 0.3])
scipy.ndimage.correlate({m}, CONSTANT[:2, :2]) | scipy.ndimage.uniform_filter1d({v}, 3) | scipy.ndimage.laplace({m})
scipy.signal.convolve({v}, [0.5, 0.2]) | scipy.signal.lfilter([0.3], [1.0, -0.4], {v})
scipy.signal.convolve2d({m}, CONSTANT[:2, :2], mode='same') | scipy.signal.fftconvolve({v}, [0.5, 0.2, 0.1])
scipy.signal.correlate({v}, [0.5, 0.2]) | SPLINE({u}) | PCHIP({u})
scipy.interpolate.CubicSpline([0.0, 0.4, 1.0], [1.0, {k}, 2.0])(np.abs({u})) | scipy.integrate.trapezoid({v})
"""

SCALARS = """
math.sin({r}) | math.exp(-abs({r})) | math.sqrt(1.0 + {r} ** 2) | math.hypot({r}, 1.5) | math.atan2({r}, 2.0)
math.tanh({r}) * {r2} | math.erf({r}) | math.log(1.5 + {r} * {r}) | math.pow(1.5 + {r} ** 2, 0.3) | math.fabs({r})
math.floor({r}) * {r2} | math.fsum([{r}, {r2}]) | math.copysign({r}, {r2}) | math.gamma(1.5 + {r} ** 2)
math.lgamma(1.5 + {r} ** 2) | math.fmod({r}, 0.7) | math.cosh(math.tanh({r})) | math.log1p({r} ** 2)
math.expm1(math.tanh({r})) | math.degrees(math.tanh({r})) | math.radians({r}) | math.erfc({r})
math.cbrt(1.5 + {r} ** 2) | math.dist([{r}, 0.5], [2.0, {r2}]) | math.prod([{r}, {r2}]) | math.exp2(math.tanh({r}))
math.log2(1.5 + {r} ** 2) | math.log(1.5 + {r} ** 2, 3) | math.asin(math.tanh({r})) | math.trunc({r}) * {r2}
math.ceil({r}) * {r2} | {r} * {r2} | {r} / (2.0 + {r2} ** 2) | max({r}, {r2}) | min({r}, {k}) | abs({r}) ** 1.5
{r} if {r2} > {k} else 2.0 * {r} | divmod({r}, 0.7)[1] | pow({r}, 2) | {r} // 0.3 * {r2} | {r} % 0.7 | -{r}
np.float64({r}) * 2.0 | {r}.real * 1.0 | math.isfinite({r}) * {r} | round({r} * 3.0) * {r2}
"""

_CALLS = (ELEMENTWISE, COMPLEX, REDUCTIONS, PRODUCTS, LINEAR_ALGEBRA, SPECIAL, ORDER, STRUCTURE, SCALARS)

EXPRESSIONS: tuple[str, ...] = tuple(
    entry.strip()
    for group in (*_CALLS, IDIOMS)
    for line in group.splitlines()
    for entry in line.split("|")
    if entry.strip()
)

STATEMENTS: tuple[str, ...] = (
    # Buffers that f makes and fills.
    "{y} = np.zeros({v}.size + 2)\n{y}[1:-1] = {v}\n{y}[0] = {r}",
    "{y} = np.zeros_like({a})\n{y}[...] = {a}\n{y} *= {k}",
    "{y} = np.empty({v}.size)\n{y}[:] = {k}\n{y}[{o}] = {v}[{o}]",
    "{y} = np.full((3, {v}.size), {k})\n{y}[1] = {v}\n{y}[:, 0] += {r}",
    "{y} = np.ones(({v}.size, 2))\n{y}.T[1] = {v}\n{y}[0, :] = {r}",
    "{y} = np.zeros(6)\n{y}.reshape(2, 3)[:, 1] = {r}\n{y}[::4] = {r2}",
    "{y} = np.zeros({m}.shape)\n{y}[{o}, {o2}] = {m}[{o}, {o2}]\n{y}[0] -= {r}",
    "{y} = np.zeros({v}.size, dtype=complex)\n{y}.real = {v}\n{y}.imag[0] = {r}\n{y} = np.abs({y} + 2.0)",
    "{y} = np.empty_like({v})\nfor i in range({v}.size):\n    {y}[i] = {v}[i] * {v}[i - 1]",
    "{y} = np.array([{k}, {k2}, 0.5])\n{y}[1:] += {r}",
    "{y} = np.arange(4.0)\n{y}[::2] *= {r}",
    "{y} = np.linspace(0.0, 1.0, 5)\n{y}[1:-1] = {r} * {y}[2:]",
    # In place, through views and overlaps.
    "{a} *= {k}",
    "{a} += {b}",
    "{a} -= 0.5 * {a}[::-1]",
    "{v}[1:] += {v}[:-1]",
    "{v}[::2] = {v}[::2][::-1]",
    "{v}[{o}] *= {k}",
    "{m}[{o}] = {k}",
    "{m}[:, 0] += {m}[:, -1]",
    "{y} = {v}[{o}]\n{y} *= {k}\n{v}[0] = {r}",
    "{y} = {m}.T\n{y}[0] = {y}[-1] * 2.0",
    "{y} = {a}.ravel()\n{y}[0] = {r}",
    "{y} = {a}.reshape(-1)[::2]\n{y} += {k}\n{y} = {y} * {y}",
    "{y} = {v}[{v}.size // 2 :]\n{v}[-1] = {r}",
    "{y} = {a}\n{y} = {y} + 1.0\n{y} += {k}",
    "{y} = {m}[0]\n{m}[0] = {m}[1]\n{m}[1] = {y}",
    "{y} = {m}[0].copy()\n{m}[0] = {m}[1]\n{m}[1] = {y}",
    "{v}[0], {v}[-1] = {v}[-1], {v}[0]",
    "{v}[[0, -1]] = {v}[[-1, 0]] * {k}",
    "{v}[[0, 1, 0]] += {k} * {v}[:3]",
    "{a}[{a} > {k}] = {k}",
    "{a}[{a} < {k}] *= 0.3",
    "{v}[np.arange({v}.size) % 2 == 1] = {r}",
    "{m}[[0, 1], [1, 0]] = {r}",
    "{y} = {a}.copy()\n{y}.fill({r})",
    "{y} = {v}.copy()\n{y}.sort()",
    "{y} = {v}.copy()\n{y}[np.argsort({v})] = np.arange({v}.size) * {r}",
    "{y} = {m}.copy()\n{y}.flat[1] = {r}\n{y}.flat[::3] = {k}",
    "{y} = {a}.copy()\n{y}.ravel()[0] += {r}",
    "{y} = {v}.copy()\n{y}.partition({i})",
    "{y} = {v}.copy()\n{y}[-1:] = {r}",
    "{y} = {v} * 1.0\nfor {y}_part in ({y}[:2], {y}[1:3]):\n    {y}_part += {r}",
    "{y} = {m} * 1.0\nfor {y}_row in {y}:\n    {y}_row *= {y}_row[0]",
    # out=, where=, and functions that write.
    "{y} = np.empty_like({a})\nnp.multiply({a}, {b}, out={y})",
    "{y} = np.empty_like({a})\nnp.sin({a}, {y})\nnp.add({y}, {a}, out={y})",
    "{y} = np.zeros_like({a})\nnp.exp(np.tanh({a}), out={y}, where={a} > {k})",
    "{y} = np.full({v}.shape, {k})\nnp.divide({v}, 2.0, out={y}[::-1])",
    "{y} = np.zeros({v}.size)\nnp.maximum({v}[1:], {v}[:-1], out={y}[1:])",
    "{y} = np.ones_like({v})\nnp.sqrt(np.abs({v}) + 1.0, out={y}, where=np.arange({v}.size) % 2 == 0)",
    "{y} = np.zeros({m}.shape[0])\nnp.sum({m}, axis=1, out={y})",
    "{y} = np.zeros({v}.size)\nnp.cumsum({v}, out={y})",
    "{y} = np.zeros({a}.shape)\nnp.clip({a}, -0.5, 0.5, out={y})",
    "{y} = np.zeros({m}.shape[0])\nnp.matmul({m}, {m2}[0], out={y})",
    "{y} = np.zeros({m}.shape[0])\nnp.dot({m}, {m2}[0], out={y})",
    "{y} = np.zeros(2)\nnp.einsum('ij->j', {m}[:, :2], out={y})",
    "{y} = np.zeros({v}.size + {v2}.size)\nnp.concatenate([{v}, {v2}], out={y})",
    "{y} = np.zeros((2,) + {a}.shape)\nnp.stack([{a}, {b}], out={y})",
    "{y} = np.zeros(3)\nnp.take({v}, [0, -1, 0], out={y}, mode='wrap')",
    "{y} = {a} * 1.0\nnp.copyto({y}, {b}, where={a} > {k})",
    "{y} = {a} * 1.0\nnp.copyto({y}, {r})",
    "{y} = {v} * 1.0\nnp.put({y}, [0, -1], [{r}, {k}])",
    "{y} = {a} * 1.0\nnp.place({y}, {a} > {k}, [{k2}, 0.25])",
    "{y} = {a} * 1.0\nnp.putmask({y}, {a} > {k}, {b})",
    "{y} = {m} * 1.0\nnp.fill_diagonal({y}, {r})",
    "{y} = {v} * 1.0\nnp.put_along_axis({y}, np.array([0, 1]), {r}, 0)",
    "{y} = np.zeros(4)\nnp.add.at({y}, np.arange({v}.size) % 4, {v})",
    "{y} = np.ones(3)\nnp.multiply.at({y}, np.arange({v}.size) % 3, {v})",
    "{y} = np.zeros(3)\nnp.subtract.at({y}, [0, 1, 0], {v}[:3])",
    "{y} = np.full(3, -5.0)\nnp.maximum.at({y}, np.arange({v}.size) % 3, {v})",
    "{y} = {m} * 1.0\nnp.add.at({y}, ([0, 1, 0], [1, 0, 1]), {v}[:3])",
    "{y} = {a} * 1.0\nnp.negative.at({y}, 0)",
    "{y} = {a} * 1.0\nnp.nan_to_num({y}, copy=False)",
    "{y} = {a}.copy()\nnp.add({y}, 1.0, {y}, where=({a} < {k}))",
    # Loops over numbers.
    "{y} = []\nfor t in {v}:\n    {y}.append(math.sin(t) * {r})\n{y} = np.array({y})",
    "{y} = np.zeros({v}.size)\ns = {k}\nfor i in range({v}.size):\n    s = 0.5 * s + {v}[i] ** 2\n    {y}[i] = s",
    "{y} = np.zeros({v}.size)\nfor i in range({v}.size):\n    {y}[i] = {v}[i] if {v}[i] > {k} else {v}[i] ** 2",
    "{y} = np.zeros({v}.size)\nfor i, t in enumerate({v}):\n    if t > 0:\n        {y}[i] += t\n    {y}[-1 - i] -= {r}",
    "{y} = np.array([p * q for p, q in zip({v}, {v2}[::-1])])",
    "{y} = {k}\nfor t in reversed({v}):\n    {y} = {y} * 0.5 + t",
    "{y} = [t for t in {v} if t > {k}]\n{y} = np.array({y} + [{r}])",
    "{y} = {m} * {k}\nfor i in range({m}.shape[0]):\n    for j in (0, -1):\n        {y}[i, j] *= {m}[i - 1, j]",
    "{y} = np.zeros({m}.shape)\nfor (i, j), t in np.ndenumerate({m}):\n    {y}[i, j] = t * t",
    "{y} = np.zeros({m}.shape)\nfor i in np.ndindex({m}.shape):\n    {y}[i] = {m}[i] * {k}",
    "{y} = {v} * 1.0\nfor i in range(1, {y}.size):\n    {y}[i] -= 0.3 * {y}[i - 1]",
    "{y} = {v} * 1.0\nfor _ in range(3):\n    {y}[1:-1] = 0.5 * ({y}[2:] + {y}[:-2])",
    "{y} = {r}\ncount = 0\nwhile abs({y}) > 0.2 and count < 6:\n    {y} = 0.5 * {y} - 0.02\n    count += 1",
    "{y} = {k}\nfor t in {v}:\n    if t < -1.2:\n        break\n    {y} = {y} + t * t",
    "{y} = {k}\nfor t in {v}:\n    if t < 0:\n        continue\n    {y} = {y} + t",
    "{y} = {{i: t for i, t in enumerate({v})}}\n{y} = np.array([{y}[i] * i for i in sorted({y})])",
    "{y} = list({v})\n{y}.append({y}.pop(0))\n{y} = np.array({y}) * {k}",
    "{y} = np.stack([t * {r} for t in {m}])",
    "{y}, _ = {v}[0] * {k}, {v}[-1]",
    "{y}, *rest = {v}\n{y} = {y} * sum(rest)",
    # Branches on values, helpers, closures.
    "if {r} > {k}:\n    {y} = {a} * 2.0\nelse:\n    {y} = {a} ** 2",
    "{y} = {a} if np.any({a} > {k}) else {a} - 1.0",
    "if {v}.sum() > {k} and not {r} < -1.0:\n    {y} = {v} * {r}\nelse:\n    {y} = {v}[::-1] + {r2}",
    "def helper(p, q={k}):\n    p = p * q\n    return p + {a}\n\n{y} = helper({r})",
    "def helper(p):\n    if p > 0:\n        return p * p\n    return -p\n\n{y} = np.array([helper(t) for t in {v}])",
    "def helper(n):\n    return {v}[0] if n == 0 else 0.5 * helper(n - 1) + {v}[n % {v}.size]\n\n{y} = helper(3)",
    "def helper(t):\n    t[0] = {r}\n    t *= 0.5\n\n{y} = {v} * 1.0\nhelper({y}[1:])",
    "{y} = (lambda p, *rest, scale=1.0: scale * p + len(rest))({a}, 1, 2, scale={r})",
    "try:\n    {y} = {v}.reshape(97, 3)\nexcept ValueError:\n    {y} = {v} * {k}",
    "{y} = functools.reduce(lambda p, q: 0.5 * p + q, {v})",
    "{y} = np.array(list(itertools.accumulate({v})))",
    "{y} = np.array(list(map(lambda t: t * t, {v})))",
    "{y} = {a} * 1.0\nif isinstance({y}, np.ndarray) and {y}.ndim > 1:\n    {y} = {y}.sum(axis=0)",
    "{y} = {a} if ({a} > {k}).all() or {r} > 0 else {b} * {r}",
    "{y} = {v}[int({r} > {k}) :]",
    "{y} = {v}[int(np.argmax({v})) :] * {r}",
    "{y} = float(np.sum({a} > {k})) * {a}",
    "{y} = f'{{{r}:.2f}}' and {a} * {k}",
    *BLOCKS,
)
