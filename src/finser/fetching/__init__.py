"""Downloads over HTTP, and extraction of untrusted archives."""
