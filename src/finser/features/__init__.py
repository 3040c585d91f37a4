"""librosa's features of every frame, and the classifiers' inputs that are made of them."""
