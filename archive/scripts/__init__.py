"""Scripts and tables for download: Python, IDL and notebooks that reproduce images and spectra, animations, overlays.

Scripts are text, generated from ``templates/``, and are not run here. `sources` and `spectrum_sources` collect the data
for the scripts of an image and of a spectrum; `images`, `idl`, `selections` and `spectra` write scripts; `bundle` packs
images with their scripts, `ogip` the OGIP files of a spectrum; `tables` writes rows; `literals` writes values as source
text. `parts` contains functions that are inserted into scripts.
"""
