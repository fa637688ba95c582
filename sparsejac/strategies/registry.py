"""The one table of strategies: a new one is a file beside this one and a line here."""

from __future__ import annotations

from sparsejac.strategies.bidirectional import BIDIRECTIONAL
from sparsejac.strategies.elimination import ELIMINATION
from sparsejac.strategies.forward import FORWARD
from sparsejac.strategies.identity import IDENTITY
from sparsejac.strategies.protocol import ProgramStrategy, Strategy
from sparsejac.strategies.reverse import REVERSE

STRATEGIES: dict[str, Strategy | ProgramStrategy] = {
    strategy.name: strategy for strategy in (FORWARD, REVERSE, BIDIRECTIONAL, IDENTITY, ELIMINATION)
}
