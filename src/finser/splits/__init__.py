"""Who is in train, validation and test."""
