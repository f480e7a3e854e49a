"""Programs that make the shipped data files from published ones."""
