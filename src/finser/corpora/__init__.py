"""The five corpora: parsers of their file names, their sources, and their indexes."""
