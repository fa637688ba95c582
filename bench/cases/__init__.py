"""What is measured and the bars for it: one case a file."""
