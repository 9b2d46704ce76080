"""Criticise a model and its posterior: predict, check, compare."""
