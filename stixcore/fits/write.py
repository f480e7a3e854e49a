"""Deprecated: use `stixcore.image_files.write`. This module will be removed in 0.3.0.

Scripts generated before 0.2.0 import `write_image` from here. Importing this module emits a `DeprecationWarning`.
"""

import warnings

from stixcore.image_files.header import image_header
from stixcore.image_files.layout import (
    CANDIDATES_EXTENSION,
    PLANES_EXTENSION,
    RECIPE_EXTENSION,
    SOURCE_COLUMNS,
    SOURCES_EXTENSION,
    UNCERTAINTY_EXTENSION,
    VISIBILITY_EXTENSION,
)
from stixcore.image_files.read import has_extension, read_recipe
from stixcore.image_files.write import image_hdus, write_image
from stixcore.software import CREATOR, software_version

__all__ = [
    "CANDIDATES_EXTENSION",
    "CREATOR",
    "PLANES_EXTENSION",
    "RECIPE_EXTENSION",
    "SOURCES_EXTENSION",
    "SOURCE_COLUMNS",
    "UNCERTAINTY_EXTENSION",
    "VISIBILITY_EXTENSION",
    "has_extension",
    "image_hdus",
    "image_header",
    "read_recipe",
    "software_version",
    "write_image",
]

warnings.warn(
    "stixcore.fits.write is now stixcore.image_files.write; the old name goes away in 0.3.0",
    DeprecationWarning,
    stacklevel=2,
)
