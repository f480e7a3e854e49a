"""Write and read image files: one FITS file per image, with everything that the image was made from.

`write_image` (in `write`) writes one image of an `ImageSet`; `read_image_file` and `read_recipe` (in `read`) read it,
`read_uncertainty` its uncertainty maps.
"""
