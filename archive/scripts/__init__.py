"""Scripts and tables for download: Python, IDL and notebooks that reproduce an image, animations and overlays.

Scripts are text, generated from ``templates/``, and are not run here. `sources` collects the data for the scripts of an
image; `images`, `idl` and `selections` write scripts; `bundle` packs images with their scripts; `tables` writes rows;
`literals` writes values as source text. `parts` contains functions that are inserted into scripts.
"""
