"""Show results as tables and pictures."""
