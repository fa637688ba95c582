"""Sparse linear systems of a fixed pattern: block structure, factors, and solutions as nodes of Programs."""
