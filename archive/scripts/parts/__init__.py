"""Functions whose text is inserted into scripts for download; they do not depend on this software.

`jobs` calls the same functions, so that server and scripts draw the same pictures.
"""

#: Assumptions about the third dimension, explained in ``overlay.py``.
ASSUMPTIONS = ("surface", "spherical", "planar")
