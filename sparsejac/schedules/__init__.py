"""From Programs to launches: what is fused, what is written out, the kernels of partial derivatives."""
