"""Feature imitating networks (FINs): small networks that predict one of librosa's features from a raw frame."""
