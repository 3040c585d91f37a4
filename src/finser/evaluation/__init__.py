"""Evaluation of classifiers on their test part, and their late fusion."""
