"""Condense normal observations to sufficient statistics."""
