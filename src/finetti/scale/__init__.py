"""Add up tables where they lie, so that their rows need never come into Python."""
