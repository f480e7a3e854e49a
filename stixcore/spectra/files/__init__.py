"""Files of count spectra and responses, in two formats, and a reader for both.

`ospex` writes the pair that the ground software writes for OSPEX and that sunkit-spex reads; `ogip` writes spectrum,
redistribution and effective area for XSPEC, Sherpa and Gammapy. Distance and area enter once: the OSPEX pair has the
area ÷ D² in GEOAREA, so that models are fluxes at 1 AU; OGIP files have the area in the ARF and no distance, so that
models are fluxes at the spacecraft.
"""

from stixcore.spectra.files.ogip import write_arf, write_pha, write_rmf
from stixcore.spectra.files.ospex import write_ospex_response, write_ospex_spectra
from stixcore.spectra.files.read import ResponseFile, SpectrumFile, read_response_file, read_spectrum_file

__all__ = [
    "ResponseFile",
    "SpectrumFile",
    "read_response_file",
    "read_spectrum_file",
    "write_arf",
    "write_ospex_response",
    "write_ospex_spectra",
    "write_pha",
    "write_rmf",
]
