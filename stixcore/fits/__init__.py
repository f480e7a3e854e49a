"""Level-1 FITS files: the layout of each product, and readers that return immutable values.

Image files are written and read by `stixcore.image_files`; `write` is its deprecated old name.
"""
