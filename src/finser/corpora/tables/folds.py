"""Parts and folds, as tables and files of folds state them."""

PARTS = ("train", "validation", "test")
MOST_FOLDS = 9999


def fold_number(text: str) -> int | None:
    """Return the number of a fold, from 1 to 9999; None for another text."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_FOLDS)) else 0
    return number or None
