"""Understand a model: trace it once, draw its graph, plan its inference."""
