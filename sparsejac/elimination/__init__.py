"""Strategy `elimination`: local Jacobians combined in a cheap order."""
