"""Figures of all folds and models together, and comparisons of models: files of numbers, which the report only formats."""
