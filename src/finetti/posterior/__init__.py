"""Read the draws: table, diagnostics, advice."""
