"""Scripts and tables that users download: Python, IDL and notebooks that reproduce an image, animations and overlays.

A script is text, generated from the templates in ``templates/``; nothing in here runs it. `sources` collects what the
scripts of an image need, `images`, `idl` and `selections` write scripts, `bundle` packs an image with its scripts,
`tables` writes rows, and `literals` writes values as source text. `parts` has functions that are inserted into scripts.
"""
