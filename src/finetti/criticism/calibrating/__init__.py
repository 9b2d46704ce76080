"""Calibrate fits on data whose parameters are known."""
