"""Solvers for the lumps of a chain on a device: texts of our own for bands and small blocks, CuPy's for all others."""
