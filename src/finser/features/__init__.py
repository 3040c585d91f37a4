"""librosa's features of every frame, and what classifiers make of them."""
