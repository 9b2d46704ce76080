"""Move on a log density, knowing no model."""
