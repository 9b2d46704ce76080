"""Pool the counts of a group."""
