"""Products with derivatives: forward, backward, of second order, and as operators."""
