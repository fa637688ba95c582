"""Text of compiled functions for bands in a row: LDU of many at once, and substitution through one after the other.

A band lies in memory row by row, and bands one behind the other, with as many rows of zeros before and behind all of
them as there are diagonals on a side. `Shape.main` is the place of the main diagonal in a row. All functions go along
the rows in a *direction*, 1 for down and -1 for up; what a row has in columns before its own, seen along it, is
eliminated: A = L D U, L and U with ones on their diagonals. In the places of A's entries then stand those of L and U,
and 1 / D.

Where both sides have entries, every other band is eliminated upwards. So the second substitution of one band and the
first one of the next go in the same direction, and are made in one pass: two recurrences that do not wait for each
other. Triangular bands take one substitution each, all in one direction; several are made in one pass.

Rows are eliminated as they stand. Of each band it is told whether pivoting would have left them there: with partial
pivoting, no entry of L is larger than one; with threshold pivoting, than the inverse of the threshold.

Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, sections 9.5 and 9.6: the backward error is small
where |L| |U| is; in a tridiagonal matrix U has the upper diagonal of A, so that one large factor does not meet another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from kernels.source import Source, read_only

LEAST, MOST = 1e-290, 1e290
"""Sizes of pivots, and of entries of U, between which their reciprocals are exact to rounding."""

LARGEST = {1: 10.0}
"""The largest entry of L by width, as for a threshold of 0.1; one for wider bands."""

ABREAST = 4
"""Bands that are eliminated at a time, and triangular ones that are substituted in one pass."""

BLOCK = 32
"""Vectors that go through the bands together."""

FACTS = 3
"""Numbers told of each band: its smallest and its largest pivot, and how many rows had better been exchanged."""


@dataclass(frozen=True)
class Shape:
    """The form of a band.

    Parameters
    ----------
    width : int
        Diagonals on each side that has any.
    sides : {"both", "lower", "upper"}
    """

    width: int
    sides: str

    @cached_property
    def two_sided(self) -> bool:
        """Whether there are entries on both sides."""
        return self.sides == "both"

    @cached_property
    def row(self) -> int:
        """Numbers in a row."""
        return 2 * self.width + 1 if self.two_sided else self.width + 1

    @cached_property
    def main(self) -> int:
        """The place of the main diagonal in a row."""
        return 0 if self.sides == "upper" else self.width


@dataclass(frozen=True)
class _Sweep:
    """One substitution: ``v = b - sum of c[m] v[m rows before]``, b or the result times 1 / D or not.

    Parameters
    ----------
    band : str
        The expression of its number.
    scaled : {"no", "before", "behind"}
    """

    band: str
    scaled: str


_HEADER = "import math\n\nimport numpy as np\n\n\n"
_READ, _WRITTEN = read_only("float64"), "float64[::1]"


@cache
def elimination(shape: Shape) -> Source:
    """``eliminate(start, stop, size, band, facts)``: bands start to stop, in place."""
    lines = ["done = start"]
    # Rows of one band wait for each other, those of others do not. Wide ones have enough to do, and long texts.
    counts = () if not shape.two_sided else (ABREAST, 2) if shape.width <= 2 else (2,)
    for count in counts:
        lines += [f"while done + {2 * count} <= stop:"]
        for odd in (0, 1):
            bands = [f"done + {2 * k + odd}" for k in range(count)]
            lines += _indented(_eliminated(shape, bands, f"{count}{'ab'[odd]}"))
        lines += [f"    done += {2 * count}"]
    lines += ["for last in range(np.uint64(done), np.uint64(stop)):"]
    lines += _indented(_eliminated(shape, ["np.int64(last)"], "x"))
    signature = f"void(int64, int64, int64, {_WRITTEN}, {_WRITTEN})"
    return _source("eliminate", "start, stop, size, band, facts", lines, shape, signature)


def _eliminated(shape: Shape, bands: Sequence[str], tag: str) -> list[str]:
    """Bands abreast, all in the direction of the first."""
    lanes = [f"{tag}{k}" for k in range(len(bands))]
    lines = [f"way{tag} = {_direction(shape, bands[0])}"]
    for lane, band in zip(lanes, bands, strict=True):
        lines += [f"band{lane} = {band}"]
        lines += [f"{name}{lane} = 0.0" for name in _carried(shape)]
        lines += [f"small{lane} = math.inf", f"large{lane} = 0.0", f"bad{lane} = 0.0"]
    lines += ["for i in range(size):", f"    row = {_row(f'way{tag}')}"]
    parts = [_row_eliminated(shape, lane, f"way{tag}") for lane in lanes]
    lines += _indented([line for lines_of_all in zip(*parts, strict=True) for line in lines_of_all])
    for lane in lanes:
        facts = (f"small{lane}", f"large{lane}", f"bad{lane}")
        lines += [f"facts[np.uint64(band{lane} * {FACTS} + {k})] = {fact}" for k, fact in enumerate(facts)]
    return lines


def _carried(shape: Shape) -> list[str]:
    """What an elimination keeps of the rows before: 1 / D, and U by its distance from the diagonal."""
    above = range(1, shape.width + 1) if shape.two_sided else ()
    return [f"{name}_{m}_" for m in range(1, shape.width + 1) for name in ("r", *(f"u{t}" for t in above))]


def _row_eliminated(shape: Shape, lane: str, way: str) -> list[str]:
    width = shape.width
    above = list(range(1, width + 1)) if shape.two_sided else []
    lines = [f"at{lane} = {_at(shape, f'band{lane}')}"]
    entries = [*range(-width, 1), *above]
    lines += [f"a{_sign(j)}{lane} = band[np.uint64(at{lane} + {way} * {j})]" for j in entries]
    for m in range(width, 0, -1):
        lines += [f"l{m}{lane} = a{_sign(-m)}{lane} * r_{m}_{lane}"]
        lines += [f"a{_sign(t - m)}{lane} -= a{_sign(-m)}{lane} * u{t}_{m}_{lane}" for t in above]
    lines += [f"r{lane} = 1.0 / a{_sign(0)}{lane}", f"d{lane} = abs(a{_sign(0)}{lane})"]
    lines += [f"v{t}{lane} = a{_sign(t)}{lane} * r{lane}" for t in above]
    most = repr(LARGEST.get(width, 1.0) if shape.two_sided else MOST)
    good = [f"d{lane} >= {LEAST!r}", f"d{lane} <= {MOST!r}"]
    good += [f"abs(l{m}{lane}) <= {most}" for m in range(1, width + 1)]
    good += [f"abs(v{t}{lane}) <= {MOST!r}" for t in above]
    lines += [
        f"bad{lane} += 0.0 if {' and '.join(good)} else 1.0",
        f"small{lane} = d{lane} if d{lane} < small{lane} else small{lane}",
        f"large{lane} = d{lane} if d{lane} > large{lane} else large{lane}",
        f"band[np.uint64(at{lane})] = r{lane}",
    ]
    lines += [f"band[np.uint64(at{lane} + {way} * {-m})] = l{m}{lane}" for m in range(1, width + 1)]
    lines += [f"band[np.uint64(at{lane} + {way} * {t})] = v{t}{lane}" for t in above]
    for m in range(width, 1, -1):
        lines += [f"{name}_{m}_{lane} = {name}_{m - 1}_{lane}" for name in ("r", *(f"u{t}" for t in above))]
    lines += [f"r_1_{lane} = r{lane}", *(f"u{t}_1_{lane} = v{t}{lane}" for t in above)]
    return lines


def _sign(j: int) -> str:
    return f"m{-j}_" if j < 0 else f"p{j}_"


def _direction(shape: Shape, band: str) -> str:
    """Of the elimination of a band."""
    if shape.two_sided:
        return f"1 - 2 * ({band} - ({band}) // 2 * 2)"
    return "np.int64(-1)" if shape.sides == "upper" else "np.int64(1)"


def _row(way: str) -> str:
    """The row that is number i along a direction."""
    return f"{way} * i + (1 - {way}) // 2 * (size - 1)"


def _at(shape: Shape, band: str) -> str:
    """The place of the main diagonal of a row."""
    return f"(({band}) * size + row + {shape.width}) * {shape.row} + {shape.main}"


@cache
def substitution(shape: Shape, *, transposed: bool) -> Source:
    """``substitute(start, stop, size, band, x)``: a vector through bands, in place.

    It goes from the last to the first, with transposes from the first to the last.
    """
    made = _both_sides(shape, transposed) if shape.two_sided else _one_side(shape, transposed)
    signature = f"void(int64, int64, int64, {_READ}, {_WRITTEN})"
    return _source("substitute", "start, stop, size, band, x", made, shape, signature, "t" if transposed else "n")


def _both_sides(shape: Shape, transposed: bool) -> list[str]:
    """First, a first substitution alone; then second ones with the next first ones; a second one alone."""
    first, step = ("start", 1) if transposed else ("stop - 1", -1)
    lines = [f"now = {first}", f"way = {_direction(shape, 'now')}"]
    lines += _pass(shape, "way", [_Sweep("now", "no")], transposed)
    both = [_Sweep("now", "before"), _Sweep(f"now + {step}", "no")]
    lines += ["for _ in range(np.uint64(start + 1), np.uint64(stop)):", "    way = -1 * way"]
    lines += _indented(_pass(shape, "way", both, transposed))
    lines += [f"    now += {step}", "way = -1 * way"]
    return lines + _pass(shape, "way", [_Sweep("now", "before")], transposed)


def _one_side(shape: Shape, transposed: bool) -> list[str]:
    """Several bands in each pass, as long as there are so many."""
    scaled, step = ("before", 1) if transposed else ("behind", -1)
    way = -1 if (shape.sides == "upper") != transposed else 1
    lines = [f"now = {'start' if transposed else 'stop - 1'}", "left = stop - start", f"way = np.int64({way})"]
    for count in (ABREAST, 1):
        sweeps = [_Sweep(f"now + {step * k}", scaled) for k in range(count)]
        lines += [f"while left >= {count}:", *_indented(_pass(shape, "way", sweeps, transposed))]
        lines += [f"    now += {step * count}", f"    left -= {count}"]
    return lines


def _pass(shape: Shape, way: str, sweeps: Sequence[_Sweep], transposed: bool) -> list[str]:
    """Substitutions in one direction, one after the other at each row."""
    lines = [f"v{k}_{m} = 0.0" for k in range(len(sweeps)) for m in range(1, shape.width + 1)]
    lines += ["for i in range(size):", f"    row = {_row(way)}", "    value = x[np.uint64(row)]"]
    for k, sweep in enumerate(sweeps):
        lines += [f"    at{k} = {_at(shape, sweep.band)}"]
        main = f"band[np.uint64(at{k})]"
        lines += [f"    value = value * {main}"] if sweep.scaled == "before" else []
        for m in range(shape.width, 0, -1):
            lines += [f"    value = value - {_coefficient(shape, f'at{k}', way, m, transposed)} * v{k}_{m}"]
        lines += [f"    v{k}_{m} = v{k}_{m - 1}" for m in range(shape.width, 1, -1)]
        lines += [f"    v{k}_1 = value"] if shape.width else []
        lines += [f"    value = value * {main}"] if sweep.scaled == "behind" else []
    return [*lines, "    x[np.uint64(row)] = value"]


def _coefficient(shape: Shape, at: str, way: str, m: int, transposed: bool) -> str:
    """Of a row for the one m rows before it; that of the transpose stands in that one, on the other side."""
    if transposed:
        return f"band[np.uint64({at} - {m * (shape.row - 1)} * {way})]"
    return f"band[np.uint64({at} - {m} * {way})]"


@cache
def substitution_of_many(shape: Shape, *, transposed: bool) -> Source:
    """``substitute(begin, end, start, stop, size, band, x)``: columns begin to end of a matrix through bands."""
    scales = ("no", "before") if shape.two_sided else ("before",) if transposed else ("behind",)
    way = _direction(shape, "now")
    band = "start + number" if transposed else "stop - 1 - number"
    lines = ["block = begin", "while block < end:", f"    behind = min(block + {BLOCK}, end)"]
    lines += ["    for number in range(stop - start):", f"        now = {band}", f"        way = {way}"]
    if not shape.two_sided and transposed:
        lines += ["        way = -1 * way"]
    for k, scaled in enumerate(scales):
        lines += ["        way = -1 * way"] if k else []
        lines += _indented(_indented(_pass_of_many(shape, scaled, transposed)))
    lines += [f"    block += {BLOCK}"]
    signature = f"void(int64, int64, int64, int64, int64, {_READ}, float64[:, ::1])"
    arguments = "begin, end, start, stop, size, band, x"
    return _source("substitute_many", arguments, lines, shape, signature, "t" if transposed else "n")


def _pass_of_many(shape: Shape, scaled: str, transposed: bool) -> list[str]:
    """One substitution; what is scaled behind it is so in a loop of its own, as later rows read what is not."""
    head = ["for i in range(size):", f"    row = {_row('way')}", f"    at = {_at(shape, 'now')}"]
    head += ["    here = np.uint64(row)"]
    main = "    main = band[np.uint64(at)]"
    lines = [*head, main] if scaled == "before" else head[:]
    terms = ""
    for m in range(shape.width, 0, -1):
        lines += [f"    c{m} = {_coefficient(shape, 'at', 'way', m, transposed)} if i >= {m} else 0.0"]
        lines += [f"    before{m} = np.uint64(row - {m} * way if i >= {m} else row)"]
        terms += f" - c{m} * x[before{m}, r]"
    columns = "    for r in range(np.uint64(block), np.uint64(behind)):"
    lines += [columns, f"        x[here, r] = x[here, r]{' * main' if scaled == 'before' else ''}{terms}"]
    return [*lines, *head, main, columns, "        x[here, r] = x[here, r] * main"] if scaled == "behind" else lines


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _source(name: str, arguments: str, lines: Sequence[str], shape: Shape, signature: str, kind: str = "") -> Source:
    name = f"{name}_{shape.sides}_{shape.width}{kind}"
    return Source(name, f"{_HEADER}def {name}({arguments}):\n" + "\n".join(_indented(lines)) + "\n", signature)
