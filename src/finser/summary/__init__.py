"""Scores of all models over all folds, and comparisons of models, as files. The report only formats them."""
