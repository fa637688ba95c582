"""Vectors put together from pieces, which are read through and stored nowhere."""
