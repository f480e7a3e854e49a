"""From pixel counts to calibrated complex visibilities."""
