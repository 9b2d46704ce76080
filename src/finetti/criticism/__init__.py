"""Ask of a model and its posterior whether they can be believed."""
