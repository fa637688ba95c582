"""What ``python -m bench.coloring`` measures: patterns, tools, the check of what they find, and the sections."""
