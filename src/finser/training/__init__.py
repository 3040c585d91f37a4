"""Training of networks and classifiers."""
