"""Quick-look light curves, with flares and images."""
