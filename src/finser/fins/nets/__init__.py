"""The networks: one module per feature, and their common code."""
