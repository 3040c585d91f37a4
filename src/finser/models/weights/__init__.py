"""Published weights of transformers, converted."""
