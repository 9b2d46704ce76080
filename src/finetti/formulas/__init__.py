"""State a model by a formula, as lme4 and brms do: it becomes finetti code, and a model of it."""
