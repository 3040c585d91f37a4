"""Splits of clips into train, validation and test."""
