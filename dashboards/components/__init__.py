"""Pieces that several pages are put together from: frame, table, figures of speech for numbers."""
