"""Run chains: start them, warm them up, and make their draws a chunk at a time."""
