"""Name the methods that a user can choose, as frozen settings."""
