"""Rewrite models into easier ones that say the same: one trick a file."""
