"""Strategies: the ways from local partial derivatives to the Jacobian."""

from sparsejac.strategies.registry import STRATEGIES as STRATEGIES
