"""Commands for people: list the corpora, look at shards, export them."""
