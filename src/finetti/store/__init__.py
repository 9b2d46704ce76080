"""Keep a run on disk while it is made, so that whatever ends it, it can be gone on with."""
