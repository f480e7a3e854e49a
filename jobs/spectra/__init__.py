"""Spectra of time ranges: files and descriptions."""
