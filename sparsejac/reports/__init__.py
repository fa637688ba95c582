"""Plans explained: strategies, dependences, decisions, elements by their names."""
