"""What SciPy's functions mean for traced values; those of linear algebra stand in `linalg`.

All files are loaded when they are needed: see `families`.
"""
