"""Engines: what is found once for a schedule, and what computes values and entries at each x."""
