"""Level-1 FITS files: what each product looks like on disk, and readers that return frozen values.

Image files are written and read by `stixcore.image_files`; `write` is its deprecated old name.
"""
