"""Version of an image file and names of its tables, shared by the writer and the readers."""

from collections.abc import Mapping

#: Version of an image file. Pixels that change get another recipe id, and so another file.
FILE_VERSION = "01"

RECIPE_EXTENSION = "RECIPE"
VISIBILITY_EXTENSION = "VISIBILITIES"
PLANES_EXTENSION = "PLANES"
UNCERTAINTY_EXTENSION = "UNCERTAINTY"
SOURCES_EXTENSION = "SOURCES"
CANDIDATES_EXTENSION = "CANDIDATES"
LOCATOR_EXTENSION = "LOCATOR"
POINTINGS_EXTENSION = "POINTINGS"
#: Tables of component images (`stixcore.image_files.components`).
COMPONENT_RECIPE_EXTENSION = "COMPONENT_RECIPE"
WEIGHTS_EXTENSION = "WEIGHTS"
SEPARATION_EXTENSION = "SEPARATION"
#: Tables of electron maps (`stixcore.image_files.electrons`).
ELECTRON_RECIPE_EXTENSION = "ELECTRON_RECIPE"
CHANNELS_EXTENSION = "CHANNELS"
ELECTRONS_EXTENSION = "ELECTRONS"

#: Columns of the table of fitted sources, with units; NaN where a shape does not have the parameter.
SOURCE_COLUMNS: Mapping[str, str] = {
    "flux": "ct s-1 cm-2 keV-1",
    "x": "arcsec",
    "y": "arcsec",
    "fwhm": "arcsec",
    "fwhm_max": "arcsec",
    "fwhm_min": "arcsec",
    "position_angle": "deg",
    "loop_angle": "deg",
}
