"""Write images of spectral components to FITS files, with the shares of the components and how well they separate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.image_files.layout import (
    COMPONENT_RECIPE_EXTENSION,
    RECIPE_EXTENSION,
    SEPARATION_EXTENSION,
    WEIGHTS_EXTENSION,
)
from stixcore.image_files.standard import Card
from stixcore.image_files.write import image_hdus, text_table, write_hdus
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.component_images import ComponentImage, ComponentImages

_FLUX = "ct s-1 cm-2 keV-1"


def write_component_image(
    path: Path,
    made: ComponentImages,
    component: ComponentImage,
    method: Method,
    created: np.datetime64,
    *,
    name: str | None = None,
) -> None:
    """Write one image of a component with CHECKSUM and DATASUM; not atomically, see `write_image`.

    It is a file like that of any image. The recipe is that of the component images, in another table than those of
    other images, because it is run by another function.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    made : ComponentImages
    component : ComponentImage
        One of its components.
    method : Method
    created : datetime64
        Creation time, written as DATE.
    name : str, optional
        Name that the file gets at last, written as FILENAME; without it that of ``path``.
    """
    hdus = image_hdus(component.images, method, created)
    del hdus[RECIPE_EXTENSION]
    hdus[0].header.remove("RECIPEID")
    for key, value, comment in _cards(made, component):
        hdus[0].header[key] = (value, comment)
    hdus.append(text_table(made.recipe.to_json(), COMPONENT_RECIPE_EXTENSION))
    hdus.append(_weights_table(made))
    hdus.append(_separation_table(made))
    write_hdus(path, hdus, created, name=name)


def _cards(made: ComponentImages, component: ComponentImage) -> Iterator[Card]:
    separated, fit = made.separated, made.spectrum.fit
    yield "COMPID", made.recipe.component_id, "hash of what determines the component images"
    yield "COMPONEN", component.label, "component of the spectrum in this image"
    yield "COMPNAME", component.name, "the same in words"
    yield "SPECMODL", "" if fit is None else fit.model, "model of the spectrum"
    yield "SPECTRID", made.recipe.spectrum.spectrum_id, "recipe of the spectrum"
    yield "COMPFLUX", component.flux, "[ct s-1 cm-2 keV-1] mean of the channels used"
    yield "COMPSHAR", component.share, "share of the counted flux of these channels"
    yield "COMPKEV", float(made.channels.width.sum()), "[keV] width of these channels together"
    yield "COMPGAPS", made.channels.gaps_text, "not used between ENERGY_L and ENERGY_H"
    yield "COMPCOND", separated.condition, "condition number of the shares"
    yield "COMPCHI2", separated.chi2, "chi^2 of all channels, not divided"
    yield "COMPNDOF", separated.ndof, "its degrees of freedom"
    yield "COMPMISF", made.misfit, "share of amplitudes in disagreement"
    yield "COMPVERD", made.verdict, "of the separation: trusted or doubtful"


def _weights_table(made: ComponentImages) -> fits.BinTableHDU:
    """A row for each channel of the spectrum; NaN where it is not used."""
    channels, separated, used = made.channels, made.separated, made.channels.used

    def spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
        full = np.full(used.size, np.nan)
        full[used] = values
        return full

    columns = [
        fits.Column("e_low", "D", unit="keV", array=channels.e_low),
        fits.Column("e_high", "D", unit="keV", array=channels.e_high),
        fits.Column("used", "L", array=used),
        fits.Column("counts", "D", unit="ct", array=channels.counts),
        fits.Column("background", "D", unit="ct", array=channels.background),
        fits.Column("flux", "D", unit=_FLUX, array=spread(channels.flux)),
        fits.Column("chi2", "D", array=spread(separated.chi2_of_channels)),
        fits.Column("ndof", "D", array=spread(separated.ndof_of_channels)),
    ]
    for one, weights in zip(made.components, channels.weights.T, strict=True):
        columns.append(fits.Column(f"weight_{one.label}", "D", array=spread(weights)))
    table = fits.BinTableHDU.from_columns(columns, name=WEIGHTS_EXTENSION)
    table.header.add_comment("Shares of the components in the counts of each channel, from the fit; counts")
    table.header.add_comment("above background in the sub-collimators and pixels of the images.")
    return table


def _separation_table(made: ComponentImages) -> fits.BinTableHDU:
    """A row for each sub-collimator: visibilities of all components for unit flux."""
    separated = made.separated
    columns = [
        fits.Column("label", "3A", array=np.array(made.labels)),
        fits.Column("chi2", "D", array=separated.chi2_of_labels),
        fits.Column("ndof", "J", array=np.full(len(made.labels), separated.ndof_of_label)),
    ]
    for number, one in enumerate(made.components):
        counting = np.sqrt(separated.covariance[:, number, number])
        columns += [
            fits.Column(f"real_{one.label}", "D", array=separated.vis[number].real),
            fits.Column(f"imag_{one.label}", "D", array=separated.vis[number].imag),
            fits.Column(f"sigma_{one.label}", "D", array=separated.sigma[number]),
            fits.Column(f"counting_{one.label}", "D", array=counting),
        ]
    table = fits.BinTableHDU.from_columns(columns, name=SEPARATION_EXTENSION)
    table.header.add_comment("Visibilities for unit flux of the component; sigma: with the gain error of 5 %,")
    table.header.add_comment("counting: without it. u and v are in the table of visibilities.")
    return table
