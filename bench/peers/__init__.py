"""Ways to a sparse Jacobian, ours and those of others: one a file."""
