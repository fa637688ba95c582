"""What f did, as nodes over flat vectors, and the addresses under which these are read."""
