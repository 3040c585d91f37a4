"""Feature imitating networks: small networks that take a raw frame and give one of librosa's features."""
