"""Idioms of random programs beside those of `fuzz_table`, written as there.

Reductions with masks, views of views, loops that stop by values, generators, classes, handlers of errors.
"""

from __future__ import annotations

IDIOMS = r"""
np.sum({a}, where={a} > {k}, initial={r}) | np.prod({u}, where={u} < {k}) | np.max({a}, where={a} < 0.5, initial=-2.0)
np.min({m}, axis={e}, where={m} > {k}, initial=1.0) | np.mean({a}, where={a} < 2.0)
np.std({p}, where=np.arange(9.0)[:1] < 2) | np.add.reduce({m}, axis={e}, keepdims=True)
np.multiply.reduce({u}, axis=None, initial={r}) | np.hypot.reduce({p}.ravel()) | np.subtract.reduce({v})
np.divide.accumulate({p}.ravel()[:3]) | np.logaddexp.accumulate({v}) | np.subtract.accumulate({m}, axis=1)
np.maximum.reduceat({v}, [0, 1]) | np.multiply.reduceat({m}, [0, 1], axis=1) | np.minimum.outer({v}[:3], {w}[:2])
np.power.outer({p}.ravel()[:3], [1, 2]) | ({a} > {k}) @ {a}.T | ({v} > {k}).cumsum() * {v} | ({v} > {k}).mean() * {v}
(({a} > {k}) + ({a} > {k2})) * {a} | (({a} > {k}) ^ ({b} > {k2})) * {b} | ({v} > {k}).argmax() * {v}
{v} ** ({v} > {k}) | ({v} > {k}).sum() // 2 * {v} | ({v} > {k}).sum() % 3 / 2 * {v} | {v}[: ({v} > {k}).sum()]
np.logical_and.reduce([{a} > {k}, {a} < {k2}]) * {a} | np.add.reduce([{a} > {k}, {a} < {k2}]) * {a}
{a}[np.logical_or.reduce(({a} > {k}, {a} < {k2}))] | np.maximum.reduce([{v}, {v} ** 2, np.ones({v}.size)]) * {v}
np.array([0.4, -0.2]).clip({v}[:1], {r}) | np.array([1.5, {k}]).repeat({v}[:2] > {k}) * {r}
np.cumsum({v} > {k})[-1] * {v} | {a} % {k} | {a} % -0.7 | -{a} % 1.1 | {a} // {k} * {a} | divmod({a}, {k})[1]
divmod(1.3, {p})[0] * {a} | 7 % {p} | 3 // {p} | 1 / {p} | 2 ** {u} | {i} - {a} | {a} ** 0 | {p} ** -2 | {p} ** -0.5
{a} * True | {a} - (2 > 1) | {n} ** {u} | np.power({a}, [2]) | np.power({a}, 3) | np.float_power({p}, -2)
np.power({p}, np.arange({p}.size).reshape({p}.shape) % 3)
np.lib.stride_tricks.sliding_window_view({v}, 3).max(axis=-1)
np.lib.stride_tricks.sliding_window_view({m}, (2, 2)).sum(axis=(2, 3))
np.lib.stride_tricks.sliding_window_view({v}, 2)[:, ::-1] @ [1.0, {k}]
np.lib.stride_tricks.sliding_window_view({v}, 2)[::2] * {r} | np.einsum('ij,j,i->', {m}, {m}[0], {m}[:, 0])
np.einsum('iij->ij', np.stack([{m}[:2, :2]] * 2)) | np.einsum({m}, [0, 1], {m}, [0, 2], [1, 2])
np.einsum('i,i,i->i', {v}, {v}, {w}) | np.einsum('ii', {q}) | np.einsum('ij->', {m}) | np.einsum('...i->i...', {t})
np.tensordot({t}, {t}, axes=([0, 1], [0, 1])) | np.tensordot({t}, {m}[:2, :2], axes=1) | np.vecmat({m}[:, 0], {m})
np.linalg.outer({v}, {v}) | np.choose(np.arange({v}.size) % 2, [{v}, 0.5 * {v} ** 2])
np.choose([0, 3, 1], [{v}[:3], {k}], mode='wrap') | np.select([{v} > {k}, {v} < {k2}], [{v}, {w}], default={r})
np.piecewise({a}, [{a} < -0.2, {a} > 0.6], [{k}, lambda t: t * {r}, np.sin])
np.piecewise({v}, [{v} < 0.0], [lambda t, s: s * t, lambda t, s: t - s], {k})
np.interp({v}, np.arange(4.0), {m}.ravel()[:4], left={r})
np.interp({v} * 3.0, [0.0, 0.4, 1.1], [1.0, {k}, 0.5], period=1.7) | np.interp({k}, np.sort({v}), {v})
np.interp({v}, np.cumsum({p}.ravel()[:3]), {a}.ravel()[:3]) | np.digitize({v}, np.sort({w}[:2])) * {v}
np.searchsorted(np.sort({v}), {w}, side='right') * {w} | np.take({m}, [0, 3, -1], mode='wrap')
np.take({v}, [9, 0], mode='clip') | {m}.take([[0, 1], [1, 0]], axis={e})
np.put_along_axis({m}, np.zeros((1, 1), int), 0.5, 0) or {m} | np.pad({v}, (2, 1), mode='reflect', reflect_type='odd')
np.pad({m}, ((0, 1), (2, 0)), mode='symmetric') | np.pad({v}, 2, mode='wrap')
np.pad({v}, (0, 2), constant_values={r}) | np.pad({v}, 2, mode='median')
np.pad({v}, 2, mode='minimum', stat_length=2) | np.pad({m}, 1, mode='linear_ramp', end_values={k})
np.pad({v}, (1, 2), mode='linear_ramp', end_values=({r}, {k})) | np.diff({m}, axis={e}, prepend=0.0)
np.diff({v}, prepend={v}[:1], append={r}) | np.gradient({v}, np.cumsum({p}.ravel()[:{v}.size]))
np.gradient({m}, 0.3, axis=0, edge_order=1) | np.trapezoid({v}, x=np.cumsum({p}.ravel()[:{v}.size]))
np.unwrap({v} * 4.0) | np.unwrap({v}, discont=0.5, period=0.9) | np.ediff1d({v}, to_end={r}, to_begin=[0.1, {k}])
np.unique(np.round({v}, 1), return_inverse=True)[1] * {v} | np.unique({v}, return_counts=True)[1] * {v}
{v}[np.unique(np.floor({v}), return_index=True)[1]] | np.median({t}, axis=(0, 1))
np.percentile({m}, [10, 50], axis={e}) | np.quantile({v}, 0.37, method='lower')
np.quantile({v}, [0.5], method='hazen') | np.average({m}, axis=0, weights={m}[:, 0] ** 2 + 0.5)
np.nanquantile({m}, 0.3, axis={e}) | np.roll({m}, (1, -1), axis=(0, 1)) | np.roll({m}, {i}, 1)[{o}]
np.rot90({m}, -1)[0] | np.flip({t}, (0, 2)) | np.tile({m}, (2, 1, 2)) | np.repeat({m}, [1, 2], axis=0)
np.resize({m}, (3, 5)) | np.insert({m}, 1, {r}, axis={e}) | np.insert({v}, -1, [{r}, {k}])
np.insert({v}, slice(0, 2), {r}) | np.delete({v}, [0, -1]) | np.delete({v}, slice(None, None, 2))
np.delete({m}, [True, False], axis=0) | np.split({v}, [1, 3])[1] | np.array_split({m}, 2, axis=1)[0]
np.block([{v}, {k}]) | np.block([[{m}], [{m}]]) | np.r_[{v}[::-1], 0.5, {v2}[:2]]
np.c_[{v}, {v} ** 2, np.ones({v}.size)] | np.concatenate([{m}, {l}], axis=None)
np.stack([{v}, {w}, {v}], axis=-1)[..., 1] | np.hstack([{m}, {m}[:, :1]]) | np.vstack([{v}, np.zeros({v}.size)])
np.column_stack([{v}, {m}.ravel()[:{v}.size]]) | np.fill_diagonal({m}, {k}) or {m} | np.diag({v}, -1)
np.diag({q}, 1) | np.tril({m}, -1) + np.triu({m}) | {m}[np.tril_indices(2)] | {m}[np.diag_indices(2)]
{q}[np.triu_indices_from({q}, 1)] | np.trace({t}, axis1=0, axis2=2) | np.array([[{r}, {k}], [{k2}, {r2}]]) @ {m}[:2]
np.array([{v}[:2], [{r}, 1]]) | np.asarray([{v}[:3], {v2}[:3]])[:, ::-1] | np.array([*{v}, {r}])
np.array([[t, t * t] for t in {v}]) | np.array(tuple({v})) | np.linalg.norm({m} + 2.0, ord=2)
np.linalg.norm({m} + 2.0, 'nuc') | np.linalg.norm({m}, -1) | np.linalg.norm({m}, np.inf)
np.linalg.norm({v} + 2.0, 0.5) | np.linalg.norm({t} + 2.0, axis=(0, 2))
np.linalg.norm({m} + 2.0, axis=1, keepdims=True) | np.linalg.solve({q}, np.stack([{v}[:3], {v2}[:3]], axis=1))
np.linalg.solve(np.stack([{q}, {q}.T]), {m}[:1, :1] * np.ones((2, 3, 1))) | np.linalg.inv(np.stack([{q}, 2.0 * {q}]))
np.linalg.det(np.stack([{q}, {q}])) | np.linalg.matrix_power({q}, -1) | np.polyfit(np.arange({v}.size), {v}, 1)
np.polyval({v}[:3], {a}) | np.polynomial.legendre.legval({a}, {v}[:3]) | np.polynomial.polynomial.polyvander({v}, 2)
np.polynomial.polynomial.polyder({v}) | np.polynomial.hermite.hermval({u}, [0.2, {r}]) | np.convolve({v}, {v}[:2])
np.correlate({v}, {v}, 'same') | np.fft.fft({v}, n=3).imag | np.fft.ifft({v}, n=12).imag | np.fft.irfft({v})
np.fft.rfftn({m}).real | np.fft.fftshift({m}, axes=1) | np.fft.irfft2({m}) | (lambda p, *q: p * len(q))(*{v})
(lambda **p: p['s'] * 2.0)(s={a}) | [t for t in {v}][::-1][0] * {v} | dict(zip('abc', {v}))['b'] * {a}
{{**dict(zip('ab', {v}))}}['a'] * {k} | next(iter({v})) * {a} | sum({v}, {r}) | sum([t * t for t in {m}]) | sum({m})
max({v}, key=abs) | min({v}, key=lambda t: (t - {k}) ** 2) | sorted({v}, key=lambda t: -t)[0] | max(*{v})
max({v}, default=0.0) | min({k}, *{v}) | list(zip({v}, {w}))[0][1] * {a}
[p - q for p, q in itertools.pairwise({v})][0] * {v} | list(itertools.product({v}[:2], {w}[:2]))[1][0] * {a}
list(itertools.chain({v}, {w}))[-1] * {a} | list(map(max, {v}, {w}))[0] * {a}
np.array(list(itertools.accumulate({v}, lambda p, q: 0.3 * p * q))) | functools.reduce(np.maximum, {m})
functools.reduce(lambda p, q: p @ q, [{q}, {q}]) | functools.partial(np.sum, axis=0)({m})
np.array(list(itertools.compress({v}, {v} > {k})) + [{r}]) | float({r}) ** 2 | float({v}[0] > {k}) * {a}
int({r} * 3) % 2 * {a} | complex({r}, {r2}).imag | abs(complex({r}, {k})) | round({r}) * {a}
divmod({r}, {k})[0] * {a} | {r}.conjugate() | {r}.imag + {a} | {r} ** 2 // 0.3 * {a} | {a}.ravel().tolist()[0] * {a}
{m}.tolist()[0][1] * {v} | {v}.item(-1) * {a} | {a}.sum().item() | {v}.min().round(1) + {a} | {v}.dot({v}) ** 0.5
{a}.T.T | {a}.T.copy().T | {a}.astype(np.float64, copy=False) | {a}.astype(float)[...] | {a}.swapaxes(0, -1)
{t}.swapaxes(0, 2)[0] | {m}.T.ravel() | {m}.T.reshape(-1) | {m}.reshape({m}.shape[::-1], order='F')
{t}.transpose().reshape(2, -1) | {v}[::-1][1:][::2] | {m}[::-1, ::-1][0] | {m}[:, ::-1].T[0] | {t}[::-1, ..., -1]
{v}[np.newaxis, :, np.newaxis] | {m}[..., None, 0] | {v}[-3:-1] | {v}[1:][:-1][0] * {v} | {m}[-1][-1] * {m}
{m}[1, ...][None] | {v}[{v} == {v}.max()] | {v}[np.logical_or({v} > {k}, {v} < {k2})] | {m}[{m}.sum(axis=1) > {k}]
{m}[:, {m}.min(axis=0) < {k}] | {m}[{m}[:, 0] > {k}, 1] | {v}[np.argsort({v})[::-1]][:2]
{v}[np.abs({v}).argmin()] * {v} | {m}[np.arange({m}.shape[0]), {m}.argmax(axis=1)]
{m}[np.unravel_index({m}.argmax(), {m}.shape)] * {a} | {m}[tuple(np.argwhere({m} == {m}.min())[0])] * {a}
{m}[np.lexsort({m}.T[::-1])] | {v}[np.lexsort(({w}, np.floor({v})))]
np.take_along_axis({m}, {m}.argmin(axis=0)[None], 0) | np.argsort(np.argsort({v})) * {v}
np.maximum([{r}, {k}], {k2}) | np.hypot([{r}, {k}], [{k2}, {r2}]) | np.exp([{r}, 0.3]) | np.add.reduce([{r}, 1, {r2}])
np.minimum.reduce([{v}, {w}, np.full({v}.size, {k})]) if {v}.size == {w}.size else {v} | np.sin(({r}, 2)) * {r}
np.multiply.outer([{r}, 2.0], [{k}, {r2}]) | {v}[np.where({v} > {k}, 0, 1)] | {v}[{v}.size - 1 - ({v} > {k})]
{m}[np.arange({m}.shape[0]), np.where({m}[:, 0] > {k}, 1, 0)] | np.arange({v}.size)[({v} > {k}).cumsum() - 1] * {v}
np.where({v} > {k}, 3, 2) // 2 * {v} | np.where({a} > {k}, 3, 2) % 2 + {a}
{a} * np.clip(np.where({a} > {k}, 2, 0), 0, 1) | {a} ** np.where({a} > {k}, 1, 2)
np.bincount(np.where({v} > {k}, 1, 0), {v}, 3) | {v}[(({v}[:2] > {k}) @ [1, 2]) % 3] * {v}
{v}[np.concatenate([[0], np.where({v} > {k}, 1, 2)])] | np.where({a} > {k}, 1, 2) / 2 * {a}
"""

_BLOCKS = r"""
{y} = np.arange({v}.size) * 0.5
{y}[1:] = {v}[1:]
--
{y} = np.concatenate([[0.1], np.arange(3.0)])
{y}[0] += {r}
--
{y} = np.exp(-np.arange(-1, 2) ** 2)
{y}[-1] = {r}
{y} = {y}[::-1] * {k}
--
{y} = {v} * 1.0
{y}_w = {y}[1:]
{y}.setflags(write=False)
try:
    {y}[0] = {r}
except ValueError:
    {y}_w *= {k}
--
{y} = np.zeros(3, dtype=int)
for {y}_t in {v}[:3]:
    {y}[int({y}_t > {k})] += 1
{y} = {y} / 2 * {v}[:3]
--
{y} = np.zeros((3, 3))
np.einsum('ii->i', {y})[:] = {v}[:3]
{y}[1:, 1:].T[0] -= {r}
--
{y} = {m} * 1.0
{y}_up, {y}_down = {y}[:-1], {y}[1:]
{y}_down += {y}_up
{y}_up *= {r}
--
{y} = {m}.copy()
{y}.T.flat[2] = {r}
{y}.T.ravel()[0] = 7.0
{y}.ravel(order='F')[1] = 7.0
--
{y} = {v} * 1.0
np.lib.stride_tricks.sliding_window_view({y}, 2, writeable=True)[1, 0] = {r}
--
{y} = {v} * 1.0
{y}_w = np.lib.stride_tricks.sliding_window_view({y}, 2)
{y}[1] = {k}
{y} = {y}_w.sum(axis=1)
--
{y} = {v} * 1.0
np.add({y}[1:], {y}[:-1], out={y}[1:])
np.multiply({y}, {y}[::-1], out={y})
--
{y} = {v} * 1.0
np.cumsum({y}, out={y})
np.subtract({y}, {k}, {y}[::-1])
--
{y} = {m} * 1.0
np.maximum({y}[0], {y}[1], out={y}[0])
np.exp(np.tanh({y}), out={y}, where={y} > {k})
--
{y} = {v}.copy()
{y}[{y} > {k}], {y}[0] = {k2}, {r}
--
{y} = np.full_like({v}, np.nan)
{y}_k = {v} > {k}
{y}[{y}_k] = {v}[{y}_k] ** 2
{y}[~{y}_k] = -{v}[~{y}_k]
{y}[np.isnan({y})] = 0.0
--
{y} = np.where({v} > {k}, {v}, np.nan)
{y}[np.isnan({y})] = np.nanmean({y}) if np.isfinite({y}).any() else {k}
--
{y} = {m} * 1.0
{y}[{y} < {k}] = 0.0
{y}[:, {y}.sum(axis=0) > 0.3] *= 2.0
{y}[{y}.argmax(axis=0), np.arange({y}.shape[1])] = -1.0
--
{y} = {m} * 1.0
{y}[np.ix_([0, 1], [0, 1])] *= {r}
{y}[:, [0, 0]] += {k}
{y}[[0, 0], [1, 1]] -= {v}[:2]
--
{y} = {m} * 1.0
{y}[0], {y}[1] = {y}[1].copy(), {y}[0] * {r}
--
{y} = {m} * 1.0
{y}[0], {y}[1] = {y}[1], {y}[0]
--
{y} = {m} * 1.0
{y}[[0, 1]] = {y}[[1, 0]]
{y} -= {y}.mean(axis=0)
{y} /= 1.0 + np.abs({y}).max()
--
{y} = np.zeros((3, 4))
np.add.at({y}, (np.arange({v}.size) % 3, np.arange({v}.size) % 4), {v})
np.multiply.at({y}, (slice(None), [1, 1]), {r})
--
{y} = np.zeros(4)
np.add.at({y}, np.searchsorted([-0.5, 0.0, 0.5], {v}), {v} ** 2)
--
{y} = np.zeros(3)
np.minimum.at({y}, [0, 2, 0], {v}[:3])
np.add.at({y}, slice(1, 3), {r})
--
{y} = {v} * 1.0
with np.nditer({y}, op_flags=['readwrite']) as {y}_it:
    for t in {y}_it:
        t[...] = t * t if t > {k} else -t
--
{y} = {m} * 1.0
{y}_it = np.nditer({y}, flags=['multi_index'], op_flags=['readwrite'])
while not {y}_it.finished:
    {y}_it[0] = {y}_it[0] * ({y}_it.multi_index[0] + 1) + {k}
    {y}_it.iternext()
--
{y} = np.zeros({v}.size)
i = 0
while i < {v}.size:
    s, j = 0.0, i
    while j < {v}.size and s < 0.9:
        s += abs({v}[j])
        j += 1
    {y}[i] = s * (j - i)
    i = j
--
{y} = {v} * 1.0
for i in range({y}.size):
    for j in range(i):
        if {y}[j] > {y}[i]:
            {y}[i], {y}[j] = {y}[j], {y}[i]
--
{y} = {r}
for i in range(5):
    {y} = {y} - ({y} ** 3 + {y} - {k}) / (3.0 * {y} ** 2 + 1.0)
    if abs({y} ** 3 + {y} - {k}) < 1e-3:
        break
else:
    {y} = {y} * 1.0
--
{y} = []
for t in {v}:
    if {y} and t < {y}[-1]:
        {y}.append({y}.pop() * 0.5 + t)
    else:
        {y}.insert(0, t)
{y} = np.array({y})
--
{y} = {{}}
for i, t in enumerate({v}):
    {y}.setdefault(int(t > {k}), []).append(t)
{y} = np.array([sum({y}[i]) for i in sorted({y})])
--
{y} = np.zeros({m}.shape)
for i, row in enumerate({m}):
    for j, t in enumerate(row):
        {y}[i, j] = t + ({y}[i - 1, j] if i else 0.0) * {k}
--
{y}_s = iter({v})
{y} = next({y}_s) * {k}
for t in {y}_s:
    {y} = max({y}, t) * 0.9
--
class {y}_State:
    def __init__(self):
        self.total = {r}

    def step(self, t):
        self.total += t * self.total
        return self.total

{y} = {y}_State()
{y} = np.array([{y}.step(0.3 * t) for t in {v}])
--
def {y}_parts():
    s = {k}
    for t in {v}:
        s = 0.5 * s + t
        yield s

{y} = np.array(list({y}_parts()))
--
def {y}_inner(t=[]):
    t.append({r})
    return t[-1] * len(t)

{y} = {y}_inner() + {y}_inner()
--
{y} = {k}
def {y}_add(t):
    return {y} + t

{y} = np.array([{y}_add(t) for t in {v}])
--
try:
    {y} = {v}[97]
except IndexError:
    {y} = {v}[-1] * {k}
finally:
    {y} = {y} + {r}
--
try:
    {y} = math.log({r})
except ValueError:
    {y} = -{r} * 1.0
--
try:
    {y} = np.linalg.inv(np.zeros((2, 2))) @ {m}
except np.linalg.LinAlgError:
    {y} = {m}[::-1] * {k}
--
with np.errstate(all='ignore'):
    {y} = np.where({a} != 0.0, {a} / np.abs({a}), 0.0) * {a}
--
with np.errstate(divide='ignore', invalid='ignore'):
    {y} = np.nan_to_num(np.where({a} > {k}, 1.0, 0.0) / np.where({a} > {k}, {a}, 0.0)) * 0.01
--
{y} = np.zeros({v}.size)
{y}[:-1] = np.where({v}[1:] > {v}[:-1], {v}[1:], 0.0)
{y}[-1] = {y}[:-1].max()
{y} = {y} / (1.0 + {y}.sum() ** 2)
--
{y} = {v}[:, None] - {w}[None, :]
{y} = np.where(np.abs({y}) > 0.1, 0.1 * {y}, {y} ** 2)
{y} = {y}.sum(axis=0) - {y}.trace()
--
{y} = {m}[:2, :2] * 1.0
for _ in range(2):
    {y} = {y} @ {y} / (1.0 + np.linalg.norm({y}) ** 2)
--
{y}, {y}_q = np.divmod({a}, 0.7)
{y} = {y} * {y}_q
--
{y}, {y}_q = np.modf({a})
{y} = {y} * {k} - {y}_q
--
{y}_i, {y} = max(enumerate({v}), key=lambda p: p[1])
{y} = {y} * ({y}_i + 1)
--
{y} = np.stack(np.meshgrid({v}[:2], {w}[:3], indexing='ij'), axis=-1)
{y}[..., 0] *= {y}[..., 1]
--
{y} = np.array({v}.tolist() + [{k}])
{y}[1:] -= {y}[:-1]
--
{y} = np.concatenate([{v}, {v}])
{y}[{v}.size :] += {y}[: {v}.size] * {r}
--
{y} = np.zeros_like({m})
{y}[:, 1:] = np.diff({m}, axis=1)
{y}[:, 0] = {y}[:, -1]
{y}[{y} < {k}] += {r}
--
{y} = np.empty((2,) + {a}.shape)
{y}[0] = {a}
{y}[1] = {y}[0] * {k}
{y}[0][...] = {y}[1] + 1.0
--
{y} = {v} * 1.0
{y}[np.argmax({y})] = {y}.min()
{y}[np.argsort({y})[0]] *= {k}
--
{y} = {v} * 1.0
{y}[1:] = np.maximum({y}[1:], {y}[:-1])
{y}[:-1] = np.minimum({y}[1:], {y}[:-1])
--
{y} = np.zeros({v}.size, complex)
{y}[1:] = {v}[1:] + 1j * {v}[:-1]
{y} *= np.exp(1j * {k})
{y} = {y}.imag - {y}.real
--
{y} = {v} * 1.0
del {v}
{v} = {y}[::-1]
{y}[0] = {k}
--
global_value = {r}
{y} = (lambda: global_value * {k})()
--
if ({y} := {v}.max()) > {k}:
    {y} = {y} * {a}
else:
    {y} = {y} + {a}
--
match int({r} > {k}):
    case 0:
        {y} = {a} * 2.0
    case _:
        {y} = {a} ** 2
--
assert {a}.size > 0 and np.isfinite({a}).all()
{y} = {a} if {r} == {r} else 0.0
--
{y} = {a} * 1.0
{y} **= 2
{y} //= 0.3
{y} += {a}
{y} %= 1.7
--
{y} = {a}.copy()
{y}[()] = {y}[()] * {k}
{y}[..., :1] = {r}
--
{y} = ({a} > {k}).astype(float)
{y}[...] += {a}
{y} -= ({a} < {k2})
--
{y} = np.zeros({a}.shape, dtype=bool)
{y} |= {a} > {k}
{y} &= {a} < 1.2
{y} = np.where({y}, {a}, {k})
--
{y} = np.sum({m} > {k}, axis=0)
{y} += 1
{y} = {y} * {m} / {y}.max()
--
{y} = np.array([1, 2, 3]) * {r}
{y}[1] = 2
{y}[2] = True
--
{y} = collections.deque({v}, maxlen=3)
{y}.rotate(1)
{y} = np.array({y}) * {k}
--
{y} = {v} * (2.0 if type({v}) is np.ndarray else 1.0)
--
{y} = np.emath.sqrt({v}).real - np.emath.log({v}).imag
--
{y} = np.zeros({v}.size)
while {y}.size > 3:
    {y} = {y}[1:] + {v}[{v}.size - {y}.size + 1 :] * {r}
--
{y} = [0.0] * {v}.size
for i, t in enumerate({v}):
    {y}[i] += t
    {y}[-1 - i] -= {k} * t
{y} = np.asarray({y})
--
{y} = {v} if {v} is not None and {v}[0] != None else {v2}
"""

BLOCKS: tuple[str, ...] = tuple(block.strip("\n") for block in _BLOCKS.split("\n--\n"))
"""Statements of several lines, which stand between lines of two dashes."""
