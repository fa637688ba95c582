"""The options of the public API over which tests run, as its own annotations list them."""

from __future__ import annotations

from typing import Any, get_args

from sparsejac.options import BackendName, Format, StrategyName

EXPLICIT_STRATEGIES: tuple[Any, ...] = tuple(s for s in get_args(StrategyName) if s not in ("auto", "measure"))
STRATEGIES: tuple[Any, ...] = (*EXPLICIT_STRATEGIES, "auto")
BACKENDS: tuple[Any, ...] = get_args(BackendName)
FORMATS: tuple[Any, ...] = get_args(Format)
