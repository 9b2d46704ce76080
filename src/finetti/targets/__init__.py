"""Turn a plan into a log density on a flat vector."""
