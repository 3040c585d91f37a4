"""Recipes: one module per data set, which turns the publisher's layout into the rows of a table (docs/recipes.md)."""
