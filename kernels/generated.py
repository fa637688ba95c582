"""The module that generated functions belong to; numba looks it up by name when it loads machine code."""
