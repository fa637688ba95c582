"""The one table of cases: a new one is a file beside this one and a line here."""

from __future__ import annotations

from bench.cases import bratu, broyden_loop, elementary, power_flow, small, strategies, tracing, warm_start
from bench.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        bratu.CASE,
        broyden_loop.CASE,
        power_flow.CASE,
        warm_start.CASE,
        small.CASE,
        strategies.CASE,
        tracing.CASE,
        elementary.CASE,
    )
}
