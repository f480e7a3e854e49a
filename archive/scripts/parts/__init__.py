"""Functions that stand, as text, inside the scripts people take home. They know nothing of this software.

`jobs` calls the same functions, so that what the server draws is what a script draws.
"""

#: What may be assumed about the third dimension; ``overlay.py`` says what each means.
ASSUMPTIONS = ("surface", "spherical", "planar")
