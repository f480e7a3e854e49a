"""Write electron maps to FITS files, with the electron energies that each is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.image_files.layout import (
    CHANNELS_EXTENSION,
    ELECTRON_RECIPE_EXTENSION,
    ELECTRONS_EXTENSION,
    RECIPE_EXTENSION,
)
from stixcore.image_files.standard import Card
from stixcore.image_files.write import image_hdus, text_table, write_hdus
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.electron_maps import FLUX_UNIT, ElectronMap, ElectronMaps

_COUNTS = "ct s-1 cm-2 keV-1"
#: In comments of the header, which have no room for the whole unit.
_SHORT = "1E50 s-1 cm-2 keV-1"


def write_electron_map(
    path: Path, made: ElectronMaps, one: ElectronMap, method: Method, created: np.datetime64, *, name: str | None = None
) -> None:
    """Write one electron map with CHECKSUM and DATASUM; not atomically, see `write_image`.

    It is a file like that of any image, in units of electrons. ENERGY_L and ENERGY_H are the photons it is made of. The
    recipe is that of the electron maps, in another table than those of other images, because it is run by another
    function.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    made : ElectronMaps
    one : ElectronMap
        One of its maps.
    method : Method
    created : datetime64
        Creation time, written as DATE.
    name : str, optional
        Name that the file gets at last, written as FILENAME; without it that of ``path``.
    """
    hdus = image_hdus(one.images, method, created)
    del hdus[RECIPE_EXTENSION]
    header = hdus[0].header
    header.remove("RECIPEID")
    for key, value, comment in _cards(made, one):
        header[key] = (value, comment)
    for hdu in hdus:
        _in_electrons(hdu)
    hdus.append(text_table(made.recipe.to_json(), ELECTRON_RECIPE_EXTENSION))
    hdus.append(_channels_table(made))
    hdus.append(_electrons_table(made, made.maps.index(one)))
    write_hdus(path, hdus, created, name=name)


def _in_electrons(hdu: fits.PrimaryHDU | fits.BinTableHDU) -> None:
    """Replace the unit of count flux by that of electron flux."""
    if isinstance(hdu, fits.BinTableHDU):
        for column in hdu.columns:
            if column.unit == _COUNTS:
                hdu.columns.change_unit(column.name, FLUX_UNIT)
    for card in hdu.header.cards:
        if f"[{_COUNTS}]" in card.comment:
            hdu.header.comments[card.keyword] = card.comment.replace(_COUNTS, _SHORT)


def _cards(made: ElectronMaps, one: ElectronMap) -> Iterator[Card]:
    electrons = made.electrons
    low, middle, high = one.resolution
    yield "BTYPE", "electron flux x column density", "mean flux of electrons"
    yield "ELECID", made.recipe.electron_id, "hash of what determines the electron maps"
    yield "SPECTRID", made.recipe.spectrum.spectrum_id, "recipe of the spectrum"
    yield "ELECENER", one.energy, "[keV] energy of the electrons"
    yield "ELECFLUX", one.total, f"[{_SHORT}] of the whole flare"
    yield "ELECSIG", one.total_sigma, f"[{_SHORT}] its error"
    yield "ELECLOW", low, "[keV] 16 % of the weights are below"
    yield "ELECMED", middle, "[keV] 50 % of the weights are below"
    yield "ELECHIGH", high, "[keV] 84 % of the weights are below"
    yield "ELECCONT", one.contrast, "part of a change with energy that is left"
    yield "ELECSLOP", one.slope, "-dln W/dln E of the whole flare"
    yield "ELECTHRM", one.thermal_share, "share of thermal counts at this energy"
    yield "ELECGAPS", made.channels.gaps_text, "not used between ENERGY_L and ENERGY_H"
    yield "ELECDOF", electrons.dof, "independent energies"
    yield "ELECREG", electrons.strength, "strength of regularization"
    yield "ELECCHI2", electrons.reduced_chi2, "chi^2 per degree of freedom of all channels"
    yield "ELECMISF", made.misfit, "share of amplitudes in disagreement"
    yield "ELECALB", made.albedo_angle, "[deg] heliocentric angle, reflection removed"
    yield "ELECVERD", made.verdict, "of all maps: trusted or doubtful"


def _channels_table(made: ElectronMaps) -> fits.BinTableHDU:
    """A row for each channel of the spectrum; NaN where it is not used."""
    channels = made.channels
    flux: NDArray[np.float64] = np.full(channels.used.size, np.nan)
    flux[channels.used] = channels.flux
    columns = [
        fits.Column("e_low", "D", unit="keV", array=channels.e_low),
        fits.Column("e_high", "D", unit="keV", array=channels.e_high),
        fits.Column("used", "L", array=channels.used),
        fits.Column("counts", "D", unit="ct", array=channels.counts),
        fits.Column("background", "D", unit="ct", array=channels.background),
        fits.Column("flux", "D", unit=_COUNTS, array=flux),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=CHANNELS_EXTENSION)
    table.header.add_comment("Counts above background in the sub-collimators and pixels of the images.")
    return table


def _electrons_table(made: ElectronMaps, number: int) -> fits.BinTableHDU:
    """A row for each electron bin: the reference spectrum and the weights of this map."""
    electrons = made.electrons
    columns = [
        fits.Column("energy", "D", unit="keV", array=electrons.centres),
        fits.Column("reference", "D", unit=FLUX_UNIT, array=electrons.reference),
        fits.Column("weight", "D", array=electrons.kernel[number]),
    ]
    table = fits.BinTableHDU.from_columns(columns, name=ELECTRONS_EXTENSION)
    table.header.add_comment("The map is that of these electrons: sum of weight x map / reference, times the")
    table.header.add_comment("reference at the energy of the map. The weights add up to 1.")
    return table
