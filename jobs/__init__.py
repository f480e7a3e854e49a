"""When work runs, on what, and what became of it."""
