"""`finser serve`: a page and an HTTP API for the predictions of a bundle. Nothing that is sent is stored."""
