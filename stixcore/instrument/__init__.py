"""What the instrument is: sub-collimators, pixels, grids and their tables."""
