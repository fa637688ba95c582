"""Compiles the text of generated functions by LLVM, without numba.

The text is plain Python in a small language: numbers, contiguous arrays, ``range`` loops, conditions, and the
functions in `library`. What is not in it raises `Unsupported`; the result is what numba makes of the same text, to the
last bit.
"""
