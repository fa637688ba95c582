"""Ways to invert one square matrix, a file each."""
