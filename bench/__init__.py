"""Benchmarks: ``python -m bench`` measures what the project promises, each measurement in a process of its own."""
