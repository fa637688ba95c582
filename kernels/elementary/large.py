"""Arguments of any size reduced by pi/2: a window of the bits of 2/pi times the 53 bits of the argument.

Source: M. Payne, R. Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18 (1983), 19-24.
"""

from __future__ import annotations

from typing import Any

from kernels.elementary.emitter import FRACTION_BITS, Pair, Real, Whole, ir

# The first 1280 bits of 2/pi, from the point on.
TWO_BY_PI = (
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561"
    "b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73ee88235f52ebb4484"
    "e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980f"
    "ef2f118b5a0a6d1f6d367ecf27cb09b74f463f669e5fea2d7527bac7ebe5f17b"
    "3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc209af4361d"
)
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
ZEROS, WINDOW, LIMB = 64, 192, 48
NAME = "sparsejac_two_by_pi"


def reduced_exactly(x: Real) -> tuple[Whole, Pair]:
    """Find n in the lowest bits and r with ``abs(x) = n pi/2 + r``, abs(r) <= pi/4, for 2**30 <= abs(x) < infinity.

    With abs(x) = m * 2**e, bits of 2/pi that weigh 2**(2 - e) and more give multiples of 4 and are left out. The next
    192 hold n modulo 4 and 125 bits more than the 53 of m: no double comes closer to a multiple of pi/2 than 2**-62.
    """
    builder, wide = x.builder, ir.IntType(WINDOW)
    bits = abs(x).bits()
    mantissa = (bits & ((1 << FRACTION_BITS) - 1)) | (1 << FRACTION_BITS)
    window = _window(x, (bits >> FRACTION_BITS) - (1075 - (ZEROS - 2)))
    product = builder.mul(window, builder.zext(mantissa.value, wide))
    nearest = builder.add(product, ir.Constant(wide, 1 << (WINDOW - 3)))
    n = builder.trunc(builder.lshr(nearest, ir.Constant(wide, WINDOW - 2)), ir.IntType(64))
    fraction = _fraction(x, builder.shl(product, ir.Constant(wide, 2)))
    high = Pair.product(fraction.high, x.lift(HALF_PI[0]))
    low = fraction.high.fma(HALF_PI[1], fraction.low.fma(HALF_PI[0], high.low))
    return Whole(builder, n), Pair.fast_sum(high.high, low)


def _window(x: Real, first: Whole) -> Any:
    """192 bits of 2/pi from bit `first` on, counted with 64 zeros before."""
    builder, wide = x.builder, ir.IntType(WINDOW + 64)
    table = _table(builder.module)
    total = ir.Constant(wide, 0)
    for word in range(4):
        place = builder.gep(table, [ir.Constant(ir.IntType(64), 0), ((first >> 6) + word).value])
        total = builder.or_(
            builder.shl(total, ir.Constant(wide, 64)), builder.zext(builder.load(place, typ=ir.IntType(64)), wide)
        )
    moved = builder.shl(total, builder.zext((first & 63).value, wide))
    return builder.trunc(builder.lshr(moved, ir.Constant(wide, 64)), ir.IntType(WINDOW))


def _fraction(x: Real, bits: Any) -> Pair:
    """The signed number `bits` of 192 bits times 2**-192, to about 2**-106 of itself: parts of 48 bits, summed."""
    builder, wide = x.builder, ir.IntType(WINDOW)
    total, low = x.lift(0.0), x.lift(0.0)
    for place in range(WINDOW - LIMB, -1, -LIMB):
        moved = builder.ashr(bits, ir.Constant(wide, place))
        part = builder.trunc(moved, ir.IntType(64))
        if place < WINDOW - LIMB:
            part = builder.and_(part, ir.Constant(ir.IntType(64), (1 << LIMB) - 1))
        number = Real(builder, builder.sitofp(part, ir.DoubleType())) * 2.0 ** (place - WINDOW)
        step = Pair.sum(total, number)
        total, low = step.high, low + step.low
    return Pair.fast_sum(total, low)


def _table(module: Any) -> Any:
    """The bits as a constant of the module, in words of 64."""
    if NAME in module.globals:
        return module.globals[NAME]
    words = [0, *(int("".join(TWO_BY_PI)[k : k + 16], 16) for k in range(0, 320, 16)), 0]
    kind = ir.ArrayType(ir.IntType(64), len(words))
    table = ir.GlobalVariable(module, kind, NAME)
    table.linkage, table.global_constant = "internal", True
    table.initializer = ir.Constant(kind, words)
    return table
