"""Own corpora: a table that lists recordings with speaker and emotion (docs/own_corpora.md)."""
