"""Hessians of functions that return one number: families, and the ways to them."""
