"""Geometry and tables of the instrument: sub-collimators, pixels, grids, energy channels."""
