"""Read tables: files, sheets, databases and data frames, to columns by name."""
