"""Conversion of recordings to shards of int16 samples at one rate."""
