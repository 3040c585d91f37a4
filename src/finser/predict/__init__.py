"""Use of trained classifiers on recordings: bundles, and the predictions of :class:`finser.Predictor`."""
