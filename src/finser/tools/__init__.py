"""Commands for people: look at shards, export them."""
