"""Scores, their intervals, calibration and late fusion: pure functions of arrays."""
