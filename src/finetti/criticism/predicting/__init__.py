"""Predict from the prior and from the posterior, for new rows and groups, and by intervention."""
