"""Spectra of regions: files, picture, description and command."""
