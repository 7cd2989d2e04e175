"""The constructs, one module per concept."""
