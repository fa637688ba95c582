"""Chains of small nodes that repeat themselves become loops: see `sparsejac.rolling.program`."""
