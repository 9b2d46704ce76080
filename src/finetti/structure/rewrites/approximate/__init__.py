"""Approximate what is not Gaussian by Laplace's method."""
