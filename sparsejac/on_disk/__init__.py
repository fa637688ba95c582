"""What set-up found, kept for the next process."""
