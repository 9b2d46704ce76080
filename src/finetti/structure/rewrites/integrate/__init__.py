"""Integrate out what is Gaussian given the rest."""
