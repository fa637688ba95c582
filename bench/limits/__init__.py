"""What an expert would write by hand: numba kernels for the entries of each family's Jacobian, one family a file."""
