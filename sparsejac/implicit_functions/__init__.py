"""Functions that are given by equations: solved by Newton's method, differentiated by the implicit function theorem."""
