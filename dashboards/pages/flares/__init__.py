"""The flares page: a table of flares, where they were on the Sun, how many there were, and their export."""
