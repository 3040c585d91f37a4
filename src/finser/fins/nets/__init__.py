"""The nets: one module per feature, and what they share."""
