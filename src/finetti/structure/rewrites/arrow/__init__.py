"""Solve with the matrices that groups and what they share make."""
