"""Jacobians against differences of the plain function."""
