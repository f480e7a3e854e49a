"""From recorded counts to calibrated rates: live time, energy edges, background, grids, pointing."""
