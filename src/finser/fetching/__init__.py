"""Downloads over HTTP, and archives that are not trusted."""
