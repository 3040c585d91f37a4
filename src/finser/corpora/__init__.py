"""The five corpora: what their file names say, where they come from, what was found."""
