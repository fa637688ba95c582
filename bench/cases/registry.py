"""The one table of cases: a new one is a file beside this one and a line here."""

from __future__ import annotations

from bench.cases import (
    broyden_loop,
    elementary,
    field,
    growth,
    hessians,
    implicit,
    inverse,
    irregular,
    limits,
    power_flow,
    products,
    setup,
    small,
    threads,
    tracing,
    warm_start,
)
from bench.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        limits.CASE,
        field.CASE,
        setup.CASE,
        growth.CASE,
        threads.CASE,
        inverse.CASE,
        implicit.CASE,
        broyden_loop.CASE,
        irregular.CASE,
        power_flow.CASE,
        warm_start.CASE,
        small.CASE,
        tracing.CASE,
        elementary.CASE,
        products.CASE,
        hessians.CASE,
    )
}
