"""Elementary functions as straight-line code without branches, so that loops around them vectorise.

Each family has a file; `functions` has the table of all of them; `inlined` puts them into modules of LLVM, and
`compiled` gives them to numba.
"""
