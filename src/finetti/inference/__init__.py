"""Run a kernel on a density and hand back a posterior."""
