"""Measurements on a GPU: ``python -m bench --device gpu``."""
