"""Leave observations out, predict them from the others, and compare models by that."""
