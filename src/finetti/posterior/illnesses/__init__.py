"""Know each illness of a run: what it looks like, why, and the remedy; one kind a file."""
