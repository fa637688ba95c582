"""Products with the inverse of the Jacobian: a chain of lumps, each inverted on its own, and J never formed."""
