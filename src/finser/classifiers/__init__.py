"""Stages that train classifiers: pretraining, initial weights, training."""
