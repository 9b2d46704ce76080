"""Time finetti beside its peers: `python -m benchmarks`."""
