"""The cost model: time, flops and memory of each strategy from pattern and graph alone."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from kernels.address import Address, Content, Table
from kernels.executor import active_buffers
from kernels.records import dataclass
from kernels.step import Schedule
from sparsejac.patterns.pattern import IndexArray, column_counts
from sparsejac.patterns.sparsity import Sparsity
from sparsejac.strategies.rates import NEAR_LINES, distance, rates

_CHUNK = 32
_CHUNK_BYTES = 2**28
_BYTES_PAIR = 8
_NEAR = 16
_LINE = 8
_LANES = 8
_PIECE, _MOST_PIECES = 1 << 14, 1 << 6

_jumps: WeakKeyDictionary[Content, int] = WeakKeyDictionary()
"""Of tables in use: several launches read one."""

_FUSED_CALLS = 32
_FUSED_WORK = 400_000
"""What a single call of compiled code may consist of (see `sparsejac.evaluation.fused`)."""


@dataclass(frozen=True)
class Seeds:
    """How many vectors a strategy carries through the schedule.

    Parameters
    ----------
    forward : int
        Tangents: colors of columns.
    reverse : int
        Adjoints: colors of rows.
    """

    forward: int = 0
    reverse: int = 0

    @property
    def total(self) -> int:
        """Colors in all."""
        return self.forward + self.reverse


NO_SEEDS = Seeds()


@dataclass(frozen=True)
class Facts:
    """Counts that the predictions are made of.

    Parameters
    ----------
    launches : int
    value_weight, weight : int
        Additions' worth of one evaluation: the value alone; the value with all local partials.
    partials : int
        Local partial derivatives: points times active loads.
    products, stored : int
        See `Sparsity`.
    nnz : int
    shape : tuple of int
    fullest_row, fullest_column : int
        Most entries of a row and of a column: no coloring of columns (rows) needs fewer colors.
    two_sided : Seeds
        The seeds that a coloring of rows and columns at once may come down to: one for each line with many entries, and
        as many as the fullest of the other rows has entries; see `estimate_two_sided`.
    active_size, seed_width : int
        Numbers in all buffers that depend on x, and most seeds to carry at once.
    heaviest : int
        Additions' worth of the launch that does most.
    scattered : int
        Active loads of a place that lies far from the one before: cache lines that a large problem waits for.
    kept : int
        All entries, where some of them are constant and these are the facts of the others.
    issued : int
        As `weight`, but for launches of few points: a vector instruction costs the same if most of it is thrown away.
    """

    launches: int
    value_weight: int
    weight: int
    partials: int
    products: int
    stored: int
    nnz: int
    shape: tuple[int, int]
    fullest_row: int
    fullest_column: int
    two_sided: Seeds
    active_size: int
    seed_width: int
    heaviest: int = 0
    scattered: int = 0
    kept: int = 0
    issued: int = 0


@dataclass(frozen=True)
class Prediction:
    """What one Jacobian by a strategy is expected to take.

    Parameters
    ----------
    strategy : str
    colors : int
        Seeds; 0 for strategies without.
    passes : int
        Runs through the schedule.
    products : int
        Multiplications of partials with tangents, adjoints or rows of running Jacobians.
    flops : int
        All operations in units of one addition.
    bytes : int
        Memory of index arrays and workspace.
    seconds : float
    """

    strategy: str
    colors: int
    passes: int
    products: int
    flops: int
    bytes: int
    seconds: float


def seed_width(schedule: Schedule) -> int:
    """Most seeds to carry at once, so that the tangents of a large problem stay in bounds."""
    size = sum(schedule.sizes[b] for b in active_buffers(schedule))
    return int(np.clip(_CHUNK_BYTES // (8 * max(size, 1)), 8, _CHUNK))


def gather_facts(schedule: Schedule, sparsity: Sparsity) -> Facts:
    """Count what the predictions need."""
    pattern = sparsity.pattern
    launches = schedule.launches
    rows, columns = np.diff(pattern.indptr), column_counts(pattern)
    return Facts(
        launches=len(launches),
        value_weight=sum(k.kernel.weight * k.points for k in launches),
        weight=sum((k.linearized if k.active else k.kernel).weight * k.points for k in launches),
        partials=sum(k.points * len(k.active) for k in launches),
        products=sparsity.products,
        stored=sparsity.stored,
        nnz=pattern.nnz,
        shape=pattern.shape,
        fullest_row=int(rows.max(initial=0)),
        fullest_column=int(columns.max(initial=0)),
        two_sided=estimate_two_sided(rows, columns),
        active_size=sum(schedule.sizes[b] for b in active_buffers(schedule)),
        seed_width=seed_width(schedule),
        heaviest=max((k.points * (k.linearized.weight + 2 * len(k.loads) + 1) for k in launches), default=0),
        issued=sum((k.linearized if k.active else k.kernel).weight * issued(k.points) for k in launches)
        + sum(k.kernel.weight * k.points * _LANES for k in launches if k.loop),
        scattered=sum(jumps(k.loads[j].address) for k in launches for j in k.active),
    )


def issued(points: int) -> int:
    """The points that vector instructions work on where so many are wanted."""
    return max(points, _LANES) if points else 0


def jumps(address: Address) -> int:
    """How often the next point lies outside the cache lines that the one before has brought; of many points about."""
    if not isinstance(address, Table) or address.points < 2:
        return 0
    found = _jumps.get(address.content)
    if found is None:
        numbers = address.content.outer  # numbers that are repeated jump nowhere
        starts = range(0, numbers.size - 1, _PIECE)
        looked_at = starts[:: max(1, -(-len(starts) // _MOST_PIECES))]
        pieces = (numbers.part(start, start + _PIECE + 1) for start in looked_at)
        met = sum(int(np.count_nonzero(np.abs(np.diff(p)) > _NEAR)) for p in pieces)
        found = _jumps[address.content] = met * len(starts) // max(1, len(looked_at))
    return found


def estimate_two_sided(row_sizes: IndexArray, column_sizes: IndexArray) -> Seeds:
    """Guess the seeds of a bicoloring: lines with more than some number of entries get a color each.

    The rest is colored from the cheaper side, with about as many colors as that number.

    Examples
    --------
    An arrowhead of 100 unknowns, whose first row and first column are dense:

    >>> sizes = np.array([100] + [2] * 99)
    >>> estimate_two_sided(sizes, sizes)
    Seeds(forward=3, reverse=1)
    """
    longest = int(max(row_sizes.max(initial=0), column_sizes.max(initial=0)))
    long_rows = len(row_sizes) - np.cumsum(np.bincount(row_sizes, minlength=longest + 1))
    long_columns = len(column_sizes) - np.cumsum(np.bincount(column_sizes, minlength=longest + 1))
    total = long_rows + long_columns + np.arange(longest + 1)
    best = int(np.argmin(total))
    return Seeds(int(long_columns[best]) + best, int(long_rows[best]))


def predict_nothing(name: str) -> Prediction:
    """Predict the cost where all entries are known: a copy."""
    return Prediction(name, 0, 0, 0, 0, 0, 0.0)


def predict_identity(facts: Facts, seeds: Seeds = NO_SEEDS) -> Prediction:
    """Predict the cost of the identity strategy."""
    pool = 8 * (facts.shape[1] + facts.partials + facts.stored)
    memory = pool + _BYTES_PAIR * facts.products + 4 * (facts.stored + facts.nnz)
    far, rate = distance(memory), rates()
    nanoseconds = (
        predict_calls(2 * facts.launches + 1, max(facts.heaviest, 4 * facts.products))
        + rate.weight * max(facts.issued, facts.weight)
        + rate.partial * facts.partials
        + (rate.product + far * rate.far_product) * facts.products
        + rate.entry * facts.nnz
        + far * rate.far_entry * (facts.nnz + facts.partials)
        + distance(memory, NEAR_LINES) * rate.far_line * facts.scattered
    )
    flops = facts.weight + 2 * facts.products
    return Prediction("identity", 0, 1, facts.products, flops, memory, nanoseconds * 1e-9)


def predict_seeded(name: str, facts: Facts, seeds: Seeds) -> Prediction:
    """Predict the cost of carrying seeds forward and back; the entries are gathered once."""
    passes = products = width = lines = 0
    for colors in (seeds.forward, seeds.reverse):
        runs = -(-colors // facts.seed_width)
        passes += runs
        products += facts.partials * colors
        width += -(-colors // max(runs, 1))
        lines += facts.scattered * max(runs, colors // _LINE)
    memory = 8 * width * facts.active_size + 4 * (facts.nnz + sum(facts.shape))
    far, rate = distance(memory), rates()
    heaviest = facts.heaviest * max(width, 1) if passes <= 2 else np.inf
    nanoseconds = (
        predict_calls(passes * (facts.launches + 2), heaviest)
        + passes * (rate.weight * max(facts.issued, facts.weight) + rate.seeded * facts.partials)
        + (rate.seed + far * rate.far_tangent) * products
        + rate.adjoint * facts.active_size * seeds.reverse
        + (rate.entry + far * rate.far_entry) * facts.nnz
        + distance(memory, NEAR_LINES) * rate.far_line * lines
        + (rate.kept + (rate.copied + distance(8 * facts.kept) * rate.far_copied) * facts.kept if facts.kept else 0.0)
    )
    flops = passes * facts.weight + 2 * products
    return Prediction(name, seeds.total, passes, products, flops, memory, nanoseconds * 1e-9)


def predict_calls(calls: int, heaviest: float) -> float:
    """Nanoseconds for calls of compiled functions: by one of them, where they are few and none takes threads."""
    rate, is_one = rates(), calls <= _FUSED_CALLS and heaviest < _FUSED_WORK
    return rate.call + calls * (rate.launch if is_one else rate.apart)
