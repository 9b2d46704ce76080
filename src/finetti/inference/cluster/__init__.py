"""Spread work over the workers of a cluster: pieces that know nothing of one another."""
