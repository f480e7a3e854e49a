"""X-ray visibility imaging for STIX: from FITS files to images.

The public names are imported here. Importing the package computes and reads nothing.
"""

from stixcore.calibration.pointing import assumed_pointing, pointing_at
from stixcore.coordinates import Pointing, hpc_to_stix, stix_to_hpc
from stixcore.errors import CalibrationError, InvalidProduct, ReconstructionError, SelectionError, StixError
from stixcore.fits.read import read_aspect, read_header, read_light_curve, read_pixel_data, read_spectrogram
from stixcore.imaging.back_projection import back_project
from stixcore.imaging.clean import clean
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import locate_flare
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.options import ImageRequest
from stixcore.recipe import Recipe
from stixcore.reconstruct import ImageSet, prepare_recipe, reconstruct
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels, sum_pixels
from stixcore.visibility.visibilities import Visibilities

__all__ = [
    "CalibrationError",
    "ImageGrid",
    "ImageRequest",
    "ImageSet",
    "InvalidProduct",
    "MetaPixels",
    "Method",
    "Pointing",
    "Recipe",
    "Reconstruction",
    "ReconstructionError",
    "SelectionError",
    "StixError",
    "Visibilities",
    "assumed_pointing",
    "back_project",
    "clean",
    "form_visibilities",
    "hpc_to_stix",
    "locate_flare",
    "pointing_at",
    "prepare_recipe",
    "read_aspect",
    "read_header",
    "read_light_curve",
    "read_pixel_data",
    "read_spectrogram",
    "reconstruct",
    "stix_to_hpc",
    "sum_pixels",
]
