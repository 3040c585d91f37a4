"""Metrics, intervals, calibration and fusion: pure functions of arrays."""
