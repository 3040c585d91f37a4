"""Commands for users: list the corpora, show shards, export them."""
