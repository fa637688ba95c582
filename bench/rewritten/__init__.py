"""The families once more, for tools that cannot take plain NumPy code: flat vectors, nothing in place."""
