"""Find a mode, and make a posterior of it."""
