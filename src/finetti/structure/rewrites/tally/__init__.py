"""Count groups that are alike together."""
