"""Conversion of transformers' published weights."""
