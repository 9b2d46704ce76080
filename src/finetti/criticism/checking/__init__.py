"""Check a posterior against the data that it was made from."""
