"""Functions to differentiate, as a user would write them: one family a file."""
