"""Criticise a model by what it predicts, how it compares and whether its sampler is right."""
