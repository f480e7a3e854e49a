"""Check a map of STIX, of whatever software, against Solar Orbiter's metadata standard and against itself.

`validate` (in `file`) checks one file; the other modules check one part of a header each.
"""
