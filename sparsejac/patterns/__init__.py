"""Which output depends on which unknown, and which entries are zero because constants are."""
