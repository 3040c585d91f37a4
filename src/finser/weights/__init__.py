"""Published weights: fetched, verified, and brought into one format."""
