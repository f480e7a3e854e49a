"""FITS in and out: the only package that opens a FITS file."""
