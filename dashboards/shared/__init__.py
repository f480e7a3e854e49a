"""Shared by two or more pages: page frame, tables, figures, formatting, URLs and access to the archive."""
